"""After a refused consent the store keeps counts and verdicts of a run, and none of its words."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Comparison, Observation, Role, Usage, gist_of
from reflector_migrate.pipeline.cache import Costed
from reflector_migrate.pipeline.context import build_context
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.settings import Settings
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.tables import comparisons, later_comparisons, metadata, task_cache
from reflector_migrate.store.words import forget_words, words_left
from reports.redact import hide
from tests.comparing import observation
from tests.new_stores import new_store

SECRET = "xylophonist"
NIGHT = "2026-11-23"


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """A store of its own, with its tables."""
    made = Harness.of(Settings.model_validate({"store": {"url": f"sqlite:///{tmp_path / 's.db'}"}}))
    new_store(made.settings.store_url)
    return made


def _side(role: Role, run_id: str, title: str) -> Observation:
    one = observation(role=role)
    words = (one.outputs.words[0].model_copy(update={"text": f"{SECRET} "}), *one.outputs.words[1:])
    outputs = one.outputs.model_copy(update={"title": title, "words": words})
    return one.model_copy(update={"outputs": outputs, "run_id": run_id, "recording": run_id})


def _store(harness: Harness, run_id: str) -> Comparison:
    """A run of which every table holds a word: compared, and compared again after a retry."""
    sides = [
        _side(Role.PRIMARY, run_id, f"The {SECRET}"),
        _side(Role.CANDIDATE, run_id, f"Another {SECRET}"),
    ]
    made = compare(*sides).model_copy(update={"run_id": run_id, "recording": run_id})
    harness.evidence.add(sides, made, NIGHT)
    with writing(harness.settings.store_url) as connection:  # as after a retry
        connection.execute(
            later_comparisons.insert().values(
                run_id=run_id, recording_id=run_id, verdict=made.verdict.value, at=now(),
                body=made.model_dump_json(by_alias=True), sides={"primary": SECRET},
            )
        )  # fmt: skip
    harness.artifacts.put(run_id, "merge_transcripts", "words", [SECRET])
    harness.effects.record(run_id, "webhook", f"w-{run_id}", {"title": SECRET})
    harness.events.record(run_id, "ts:FINAL_TITLE:1", "c", {"event": "x", "data": SECRET})
    return made


def _words_of(harness: Harness, run_id: str) -> set[str]:
    """The tables in which a row of the run holds the word."""
    with reading(harness.settings.store_url) as connection:
        return {
            table.name
            for table in metadata.sorted_tables
            if "run_id" in table.c
            for row in connection.execute(select(table).where(table.c.run_id == run_id))
            if SECRET in repr(tuple(row))
        }


def test_cached_answers_go_with_the_run_that_asked(harness: Harness) -> None:
    """What a run was answered, or found in the cache; other runs' answers stay."""
    url = harness.settings.store_url
    raw = {"store": {"url": url}, "candidate": {"database_url": url, "data_dir": "unused"}}
    there = Harness.of(Settings.model_validate(raw))
    for run_id, text in (("r1", "a"), ("r2", "a"), ("r2", "b"), ("r3", "c")):
        run = Run(run_id=run_id, recording_id="r", transcript_id="t", namespace="shadow",
                  bucket_name="b")  # fmt: skip
        build_context(run, there).cache.remember(
            "recogniser", {"text": text}, lambda: Costed([SECRET], Usage())
        )
    forget_words(url, "r2", hide)
    with reading(url) as connection:
        assert connection.scalar(select(func.count()).select_from(task_cache)) == 1


def test_no_table_keeps_a_word_and_every_count_stays(harness: Harness) -> None:
    """Of that run alone, and twice without harm; its verdict and its row of the night stay."""
    before = _store(harness, "r1")
    _store(harness, "r2")
    tables = {"artifacts", "comparisons", "effects", "events", "gists", "later_comparisons",
              "observations"}  # fmt: skip
    assert _words_of(harness, "r1") == tables
    gist = gist_of(before)
    url = harness.settings.store_url
    assert {*words_left(url, "r1", hide), "gists"} == tables
    for _ in range(2):
        forget_words(url, "r1", hide)
    assert _words_of(harness, "r1") == set()
    assert words_left(url, "r1", hide) == {}
    assert _words_of(harness, "r2") == tables
    after = harness.evidence.first("r1")
    assert after is not None
    assert (after.verdict, after.run_id, after.recording) == (before.verdict, "r1", "r1")
    counted = [
        [(c.name, c.verdict, c.rule, c.measure and c.measure.divergence) for c in one.checks]
        for one in (after, before)
    ]
    assert counted[0] == counted[1]
    assert gist_of(after)._replace(title=gist.title, told=gist.told) == gist
    assert harness.nights.of(NIGHT)[0] == gist_of(after)


def test_an_erased_run_with_a_defect_stays_one(harness: Harness) -> None:
    """Its names are the harness's own: without them the run would count as a sound one."""
    made = _store(harness, "r1").model_copy(update={"defects": ("tracks_swapped",)})
    with writing(harness.settings.store_url) as connection:
        body = made.model_dump_json(by_alias=True)
        connection.execute(comparisons.update().values(body=body))
    forget_words(harness.settings.store_url, "r1", hide)
    [kept] = harness.nights.documents(["r1"])
    assert kept.defects == ("tracks_swapped",)
    assert set(harness.nights.seeded()) == {"r1"}

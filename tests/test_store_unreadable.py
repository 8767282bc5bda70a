"""A stored document that this build cannot read is named where it is shown, and hides nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from reflector_migrate.errors import InputError, UnreadableError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Comparison, Engine, Observation, Outputs, Role, Verdict
from reflector_migrate.pipeline.rows import create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow import app
from reflector_migrate.shadow.nightly.gating import stored_evidence
from reflector_migrate.shadow.nightly.night import gather
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.shadow.snapshot import state_before
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.words import forget_words, words_left
from tests.new_stores import new_store

WHY = "unreadable: its stored comparison: verdict: Field required"


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """Two comparisons of tonight; the first one's document lost its verdict, and has a word."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    new_store(url)
    seen = Observation(recording="rec", role=Role.PRIMARY, engine=Engine.CELERY,
                       status="completed", outputs=Outputs(title="Ana"))  # fmt: skip
    compared = compare(seen, seen.model_copy(update={"role": Role.CANDIDATE, "build": "c"}))
    for run_id in ("bad", "good"):
        found = compared.model_copy(
            update={"recording": f"rec-{run_id}", "run_id": run_id, "notes": ("Ana",)}
        )
        Evidence(url).add([], found, now().date().isoformat())
    with writing(url) as connection:
        connection.execute(
            text("UPDATE comparisons SET body = replace(body, '\"verdict\"', '\"word\"')"
                 " WHERE run_id = 'bad'")
        )  # fmt: skip
    return Harness.of(Settings.model_validate({"store": {"url": url}}))


def test_it_is_errored_with_the_field(harness: Harness) -> None:
    """By run and by recording; the other one is as it was."""
    for found in (harness.evidence.first("bad"), harness.evidence.latest("rec-bad")):
        assert found is not None
        assert (found.verdict, found.checks[0].note) == (Verdict.ERRORED, WHY)
    good = harness.evidence.comparison("good")
    assert good is not None
    assert good.verdict is Verdict.INCONCLUSIVE


def test_its_night_has_a_page_and_the_gates_their_evidence(harness: Harness) -> None:
    """Both rows are there, and the unreadable one gives the gates no line."""
    night = gather(harness, now().date().isoformat(), is_whole=True)
    assert [one.verdict for one in night.comparisons] == [Verdict.ERRORED, Verdict.INCONCLUSIVE]
    assert {line.run for line in stored_evidence(harness) if line.measure != "coverage"} == {"good"}


def test_an_announcement_that_could_not_be_read_keeps_no_gate_back(
    harness: Harness, tmp_path: Path
) -> None:
    """It counts as failed: nothing says which recording it was of."""
    url = f"sqlite:///{tmp_path / 'reflector.db'}"
    create_all(url)
    theirs = harness.settings.reflector.model_copy(update={"database_url": url})
    here = harness.under(harness.settings.model_copy(update={"reflector": theirs}))
    here.dispatches.add("", "failed", reason="shadow message: track_keys: refused")
    found = {line.recording: line.coverage for line in stored_evidence(here) if line.coverage}
    assert found == {"unnamed": "failed"}


def test_without_its_columns_beside_it_counts_as_errored(harness: Harness) -> None:
    """A comparison of an older build, whose columns are made of its document."""
    with writing(harness.settings.store_url) as connection:
        connection.execute(text("DELETE FROM gists"))
    found = {gist.run_id: gist.verdict for gist in harness.nights.all()}
    assert found == {"bad": "ERRORED", "good": "INCONCLUSIVE"}


def test_its_words_can_be_erased(harness: Harness) -> None:
    """What cannot be read may have words: it is listed until it is erased, and then it is not."""
    url = harness.settings.store_url

    def hide(one: Comparison) -> Comparison:
        return one.model_copy(update={"notes": ()})

    assert words_left(url, "bad", hide) == {"comparisons": 1}
    forget_words(url, "bad", hide)
    assert words_left(url, "bad", hide) == {}
    found = harness.evidence.first("bad")
    assert found is not None
    assert found.checks[0].note == WHY


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"task_id": "t", "task": "x"}, "transcript_id: missing"),
        ({"task_id": "t", "transcript_id": "x", "task": 5}, "task: Input should be a valid string"),
        (
            {"task_id": "t", "transcript_id": "x", "task": "y", "spans": [{"n": 1}]},
            "spans.0.name: Field required",
        ),
    ],
)
def test_timings_that_are_none_are_refused_at_the_door(
    harness: Harness, message: dict[str, object], said: str
) -> None:
    """With the field; nothing of them is stored."""
    shadow = Shadow(harness, lambda _run, _delay_s: None)
    with pytest.raises(InputError, match=f"timings: {said}"):
        app.keep_spans(shadow, message)
    assert harness.spans.of("x") == ()


@pytest.mark.parametrize("events", [5, ["Ana"], [{"data": {}}], [{"event": "X", "data": "Ana"}]])
def test_a_row_whose_events_are_none_is_named_before_it_is_copied(events: object) -> None:
    """The primary's; no word of it."""
    with pytest.raises(UnreadableError) as raised:
        state_before({"status": "processing", "events": events}, is_first=True)
    assert raised.value.message == "unreadable: the primary's row: events: not a list of events"

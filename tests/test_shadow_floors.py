"""Floors from stored pairs: of equals only, never the run's own, and in words."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import comparators
from reflector_migrate.judge import cross_run
from reflector_migrate.judge.cross_run import divergences
from reflector_migrate.judge.noise import Floor
from reflector_migrate.model import Role
from reflector_migrate.settings import Settings
from reflector_migrate.shadow import noise_floors
from reflector_migrate.shadow.noise_floors import StoredFloors, conditions, is_repeatable, pair_of
from reflector_migrate.store.aa_pairs import LegacyPair
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord
from tests.comparing import SPOKEN, observation, outputs_of, words_of

RUN = RunRecord(
    run_id="run", claim="c", recording_id="rec", transcript_id="t", namespace="shadow", build="b",
    state="started", reason=None, workflow_id=None, primary_task_id="task", request={},
    created_at=now(), updated_at=now(),
)  # fmt: skip


def _pair(recording, value):
    return LegacyPair(f"run-{recording}-{value}", recording, "s", "primary", {}, {"words": value})


@pytest.mark.parametrize(
    "changed",
    [
        {"services": {"llm_model": "another"}},
        {"services": {"transcript_url": "http://other"}},
        {"services": {"transcript_model": "another"}},
        {"services": {"llm_url": "http://other/v1"}},
        {"services": {"llm_context_window": 8000}},
    ],
)
def test_another_model_is_another_condition(changed):
    """Each of them begins a new floor; so does another build of legacy."""
    seen = observation(role="primary")
    told = conditions(Settings(), seen)
    assert conditions(Settings.model_validate(changed), seen) != told
    assert conditions(Settings(), seen.model_copy(update={"build": "other"})) != told
    assert conditions(Settings(), seen) == told


def test_another_reading_is_another_condition(tmp_path, monkeypatch):
    """A comparator that reads otherwise measured something else, whatever the normaliser is."""
    theirs = tmp_path / "comparators"
    shutil.copytree(Path(comparators.__file__).parent, theirs)
    measuring = tmp_path / "repeats.py"
    shutil.copy(cross_run.__file__, measuring)
    assert noise_floors.reading_of(theirs, measuring) == noise_floors.reading()
    told = conditions(Settings(), observation())
    for changed in (theirs / "facts/substituted_facts.py", measuring):
        before = noise_floors.reading_of(theirs, measuring)
        with changed.open("a") as file:
            file.write("\nREAD = 'otherwise'\n")
        after = noise_floors.reading_of(theirs, measuring)
        assert after != before
        monkeypatch.setattr(noise_floors, "reading", lambda after=after: after)
        assert conditions(Settings(), observation()) != told


@pytest.mark.parametrize(
    ("recordings", "said"),
    [
        ([], "no A/A pair is stored"),
        (["rec", "rec"], "2 stored A/A pairs of this very recording alone"),
        (["rec", "other"], "2 stored A/A pairs of 2 recordings in s"),
    ],
)
def test_it_is_said_what_a_floor_is_made_of(recordings, said):
    """How many pairs, of how many recordings, and whether only of the one under judgement."""
    stored = StoredFloors([_pair(name, n / 100) for n, name in enumerate(recordings)])
    assert said in stored.note("rec", "s")
    assert (stored.floors is None) is (not recordings)


def test_only_runs_of_this_candidates_build_show_what_excess_noise_makes():
    """A worse build before it would make the floor too narrow; older pairs show nothing."""
    shown = {"words": (0.01, -0.02)}
    pairs = [
        replace(_pair("rec", 0.1), candidate_build="this", exchanged=shown),
        replace(_pair("rec", 0.2), candidate_build="another", exchanged={"words": (-0.3, -0.4)}),
        replace(_pair("rec", 0.3), candidate_build="this"),
        _pair("rec", 0.4),
    ]
    floors = StoredFloors(pairs, "this").floors
    assert floors is not None
    assert floors.of("words", "s") == Floor(0.4, 4)
    assert floors.excess_of("words", "s") == Floor(0.01, 1)
    assert StoredFloors(pairs, "a third").floors.excesses == {}


def test_pairs_of_another_stratum_are_not_counted():
    """What excuses nothing is not shown as a floor."""
    said = StoredFloors([_pair("rec", 0.1)]).note("rec", "another")
    assert "0 stored A/A pairs of 0 recordings in another" in said


@pytest.mark.parametrize(
    ("standins", "expected"),
    [
        pytest.param({}, False, id="a real deployment"),
        pytest.param({"noise": {}, "replayed": False}, True, id="stand-ins without noise"),
        pytest.param({"noise": {"llm": {"rate": 0.3}}, "replayed": False}, False, id="noise"),
        pytest.param({"noise": {"llm": {"rate": 0.3}}, "replayed": True}, True, id="replayed"),
    ],
)
def test_when_answers_are_known_to_be_alike(standins, expected):
    """Never of real services, unless their answers are replayed."""
    assert is_repeatable({"standins": standins}) is expected


def test_no_pair_without_two_whole_runs():
    """A secondary that failed is not evidence of noise."""
    first, second = observation(role="primary"), observation(role="secondary")
    pair = pair_of(first, second, RUN, {}, Role.SECONDARY, divergences(first, second))
    assert pair is not None
    assert (pair.came_first, pair.divergences["words"]) == ("secondary", 0)
    failed = second.model_copy(update={"status": "failed"})
    assert pair_of(first, failed, RUN, {}, Role.SECONDARY, {}) is None


def test_a_pair_keeps_numbers_and_no_words():
    """What is stored for good holds nothing that was said."""
    heard = words_of(SPOKEN * 5)
    other = [heard[0].model_copy(update={"text": "Xylophone "}), *heard[1:]]
    second = observation(outputs_of(other), role="secondary")
    first = observation(outputs_of(heard))
    pair = pair_of(first, second, RUN, {}, Role.PRIMARY, divergences(first, second))
    assert pair is not None
    assert pair.divergences["words"]
    assert "ylophone" not in repr(pair)

"""Progress: each state of each step is published once and in order, whatever is retried."""

from __future__ import annotations

import pytest

from reflector_migrate.conductor.progress import Progress, percent_of
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, VISIBLE_STEPS, StepRun
from reflector_migrate.settings import Settings
from tests.a_run import RAW, RUN
from tests.progress_world import TRACKS, settings, states, told

__all__ = ["settings"]


def test_a_plan_makes_every_step_pending_once(settings):
    """Fourteen steps, a track's step once per track, in the requirements' order."""
    progress = Progress(Harness.of(settings))
    progress.planned(RUN, TRACKS)
    progress.planned(RUN, TRACKS)
    seen = [(d["current_step"], d.get("track_index"), d["step_index"]) for d in told(settings)]
    assert len(seen) == len(set(seen)) == 12 + 2 * 3
    assert [index for *_, index in seen] == sorted(index for *_, index in seen)
    assert {d["step_status"] for d in told(settings)} == {"pending"}
    assert {d["total_steps"] for d in told(settings)} == {14}


def test_a_retried_step_is_published_once_per_state(settings):
    """Three attempts: one pending, one in progress, one completed, in this order."""
    progress = Progress(Harness.of(settings))
    for _ in range(3):
        progress.started("finalize", RAW)
    progress.completed("finalize", RAW)
    progress.completed("finalize", RAW)
    assert states(settings, "finalize") == ["pending", "in_progress", "completed"]


def test_a_slow_worker_that_lost_its_task_publishes_nothing_late(settings):
    """News of an earlier state, after a later one is out, is dropped."""
    progress = Progress(Harness.of(settings))
    progress.completed("finalize", RAW)
    progress.started("finalize", RAW)
    progress.failed("finalize", RAW)
    assert states(settings, "finalize") == ["completed"]


def test_tracks_say_which_of_how_many(settings):
    """`transcribing track 2 of 3` can be read from the message."""
    progress = Progress(Harness.of(settings))
    progress.planned(RUN, TRACKS)
    progress.started("transcribe_track", {**RAW, "track_index": 1})
    last = told(settings)[-1]
    assert (last["track_index"], last["track_total"], last["step_status"]) == (1, 3, "in_progress")
    assert states(settings, "transcribe_track", 0) == ["pending"]


def test_the_fork_helper_is_not_shown(settings):
    """Fourteen visible steps; the fifteenth is machinery."""
    Progress(Harness.of(settings)).started("generate_dynamic_fork_tasks", RAW)
    assert told(settings) == []


def test_percent_rises_to_a_hundred(settings):
    """A whole run ends at 100, and never falls on its way."""
    progress = Progress(Harness.of(settings))
    progress.planned(RUN, TRACKS)
    for step in STEP_NAMES:
        for index in (0, 1, 2) if step in ("pad_track", "transcribe_track") else (None,):
            raw = RAW if index is None else {**RAW, "track_index": index}
            progress.started(step, raw)
            progress.completed(step, raw)
    percents = [d["percent"] for d in told(settings)]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0, 100)


@pytest.mark.parametrize(
    ("ended", "tracks", "expected"),
    [
        pytest.param([], 3, 0, id="nothing"),
        pytest.param([("finalize", None, "failed")], 1, 0, id="a failed step is not completed"),
        pytest.param([("finalize", None, "in_progress")], 1, 0, id="in progress is not done"),
        pytest.param([("pad_track", 0, "completed")], 2, 3, id="half of a step"),
        pytest.param(
            [(s, None, "completed") for s in VISIBLE_STEPS], 1, 100, id="all, without rounding up"
        ),
    ],
)
def test_percent_counts_completed_steps(ended, tracks, expected):
    """Of fourteen; a track counts for its part."""
    assert percent_of(ended, tracks) == expected


def test_what_the_server_timed_out_is_caught_up(settings):
    """A timeout on the server is not published until the execution is read."""
    runs = [
        StepRun(name="get_recording", status="completed"),
        StepRun(name="pad_track", track_index=1, attempt=1, status="timed_out"),
        StepRun(name="pad_track", track_index=0, attempt=1, status="timed_out"),
        StepRun(name="pad_track", track_index=0, attempt=2, status="completed"),
    ]
    progress = Progress(Harness.of(settings))
    progress.catch_up(RUN, runs, has_ended=False)
    assert states(settings, "pad_track", 1) == []
    progress.catch_up(RUN, runs, has_ended=True)
    progress.catch_up(RUN, runs, has_ended=True)
    assert states(settings, "get_recording") == ["completed"]
    assert states(settings, "pad_track", 1) == ["failed"]
    assert states(settings, "pad_track", 0) == ["completed"]


def test_telling_never_harms_the_step(tmp_path):
    """No store, no bus, nonsense for input: nothing is raised."""
    url = f"sqlite:///{tmp_path / 'missing' / 'tables.db'}"
    progress = Progress(Harness.of(Settings.model_validate({"store": {"url": url}})))
    progress.started("finalize", RAW)
    progress.completed("finalize", {"run": "nonsense"})
    progress.failed("finalize", {})

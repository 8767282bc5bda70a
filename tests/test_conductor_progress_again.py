"""Progress of a manual retry or rerun: published again from there on, and no more."""

from __future__ import annotations

import pytest

from reflector_migrate.conductor.progress import Progress
from reflector_migrate.harness import Harness
from reflector_migrate.model import TRACK_STEPS, VISIBLE_STEPS
from reflector_migrate.shadow.observe.live_status import candidate_states
from tests.a_run import RAW, RUN
from tests.progress_world import TRACKS, settings, states, told, whole

pytestmark = pytest.mark.heavy

__all__ = ["settings"]


def test_a_failed_step_may_still_complete_when_retried_manually(settings):
    """What was published stays published."""
    progress = Progress(Harness.of(settings))
    progress.started("finalize", RAW)
    progress.failed("finalize", RAW)
    progress.started("finalize", RAW)
    progress.completed("finalize", RAW)
    assert states(settings, "finalize") == ["pending", "in_progress", "failed", "completed"]


def test_what_is_retried_manually_is_published_again(settings):
    """The failed step alone, with new ids; what completed stays, and nothing falls any more."""
    progress = Progress(Harness.of(settings))
    progress.planned(RUN, TRACKS)
    whole(progress, VISIBLE_STEPS[:8])
    progress.started("generate_title", RAW)
    progress.failed("generate_title", RAW)
    before = len(told(settings))
    progress.again(RUN.run_id, "wf-1")
    progress.started("generate_title", RAW)
    progress.started("detect_topics", RAW)
    whole(progress, VISIBLE_STEPS[8:])
    once, thrice = ["pending", "in_progress", "completed"], ["pending", "in_progress"]
    assert states(settings, "generate_title") == [*thrice, "failed", *once]
    assert states(settings, "detect_topics") == once
    ids = [d["id"] for d in told(settings)]
    assert len(ids) == len(set(ids))
    percents = [d["percent"] for d in told(settings)[before:]]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (57, 100)


def test_the_finalize_that_sets_error_is_not_progress(settings):
    """A failed run says `failed` of its step only; retried, it publishes its own finalize."""
    progress = Progress(Harness.of(settings))
    progress.planned(RUN, TRACKS)
    whole(progress, VISIBLE_STEPS[:8])
    progress.started("generate_title", RAW)
    progress.failed("generate_title", RAW)
    error = {**RAW, "outcome": "error"}
    progress.started("finalize", error)
    progress.completed("finalize", error)
    progress.failed("finalize", error)
    last = told(settings)[-1]
    assert (last["current_step"], last["step_status"]) == ("generate_title", "failed")
    assert states(settings, "finalize") == ["pending"]
    before = len(told(settings))
    progress.again(RUN.run_id, "wf-1")
    for step in VISIBLE_STEPS[8:]:
        progress.started(step, {**RAW, "outcome": "ended"})
        progress.completed(step, {**RAW, "outcome": "ended"})
    news = told(settings)[before:]
    ended = [d["current_step"] for d in news if d["step_status"] == "completed"]
    assert ended == list(VISIBLE_STEPS[8:])
    percents = [d["percent"] for d in news]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (57, 100)


@pytest.mark.parametrize(
    ("step", "first", "left"),
    [
        pytest.param("get_recording", "get_recording", 0, id="all"),
        pytest.param("pad_track", "pad_track", 14, id="a track's step"),
        pytest.param("merge_transcripts", "merge_transcripts", 42, id="from the middle"),
        pytest.param("send_webhook", "send_webhook", 92, id="the last"),
    ],
)
def test_a_rerun_is_published_from_its_step_on(settings, step, first, left):
    """Everything from there on is published again, and nothing before it; up to 100 percent."""
    progress = Progress(Harness.of(settings))
    progress.planned(RUN, TRACKS)
    whole(progress)
    before = len(told(settings))
    for _ in range(2):
        progress.again(RUN.run_id, "wf-1", from_step=step)
        whole(progress)
    news = told(settings)[before:]
    again = VISIBLE_STEPS[VISIBLE_STEPS.index(first) :]
    half = news[: len(news) // 2]
    assert list(dict.fromkeys(d["current_step"] for d in half)) == list(again)
    assert [d["step_status"] for d in half] == [d["step_status"] for d in news[len(half) :]]
    assert len({d["id"] for d in told(settings)}) == before + len(news)
    percents = [d["percent"] for d in half]
    assert (percents[0], percents[-1]) == (left, 100)
    assert percents == sorted(percents)
    assert {d.get("track_total") for d in half if d["current_step"] in TRACK_STEPS} <= {3}


def test_what_an_older_workflow_of_the_run_publishes_stays_its_own(settings):
    """A restarted run has another workflow; neither's news is the other's."""
    progress = Progress(Harness.of(settings))
    progress.completed("finalize", RAW)
    progress.again(RUN.run_id, "wf-1", from_step="get_recording")
    other = {"run": {**RAW["run"], "workflow_id": "wf-2"}}
    progress.completed("finalize", other)
    progress.again(RUN.run_id, "wf-2", from_step="get_recording")
    progress.completed("finalize", RAW)
    ids = ["wf-1:finalize::completed", "wf-2:finalize::completed:1", "wf-1:finalize::completed:2"]
    assert [d["id"] for d in told(settings)] == ids


def test_the_board_shows_only_what_still_stands(settings):
    """A rerun's later steps are not begun, whatever they were before."""
    progress = Progress(Harness.of(settings))
    progress.planned(RUN, TRACKS)
    whole(progress)
    progress.again(RUN.run_id, "wf-1", from_step="generate_summary")
    progress.started("generate_summary", RAW)
    shown = candidate_states(Harness.of(settings), RUN.run_id, "wf-1")
    assert shown["generate_title"] == "completed"
    assert shown["generate_summary"] == "in progress"
    assert "finalize" not in shown

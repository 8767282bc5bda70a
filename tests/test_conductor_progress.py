"""Progress: each state of each step is told once and in order, whatever is retried."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import redis

from reflector_migrate.conductor.progress import TRACK_STEPS, Progress, percent_of
from reflector_migrate.model import STEP_NAMES, VISIBLE_STEPS, StepRun
from reflector_migrate.pipeline.contracts import Track
from reflector_migrate.pipeline.services.events import Bus
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.board import candidate_states
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.migrate import upgrade
from tests.a_run import RAW, RUN

TRACKS = [Track(track_index=i, s3_key=f"k{i}") for i in (2, 0, 1)]
FAR = "redis://127.0.0.1:9/2"


def settings_of(tmp_path, bus_url=FAR):
    """A store of its own, and a candidate that shares nothing."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    upgrade(url)
    return Settings.model_validate({"store": {"url": url}, "candidate": {"bus_url": bus_url}})


@pytest.fixture
def settings(tmp_path):
    """With a bus that is down: telling must not mind."""
    return settings_of(tmp_path)


def told(settings):
    """Everything told, in order."""
    kept = EventLog(settings.store_url).of(RUN.run_id)
    return [e.data for e in kept if e.event == "PIPELINE_PROGRESS"]


def states(settings, step, index=None):
    """The states of one step, in order."""
    return [
        d["step_status"]
        for d in told(settings)
        if d["current_step"] == step and d.get("track_index") == index
    ]


def test_a_plan_makes_every_step_pending_once(settings):
    """Fourteen steps, a track's step once per track, in the requirements' order."""
    progress = Progress(settings)
    progress.planned(RUN, TRACKS)
    progress.planned(RUN, TRACKS)
    seen = [(d["current_step"], d.get("track_index"), d["step_index"]) for d in told(settings)]
    assert len(seen) == len(set(seen)) == 12 + 2 * 3
    assert [index for *_, index in seen] == sorted(index for *_, index in seen)
    assert {d["step_status"] for d in told(settings)} == {"pending"}
    assert {d["total_steps"] for d in told(settings)} == {14}


def test_a_retried_step_is_told_once_per_state(settings):
    """Three attempts: one pending, one in progress, one completed, in this order."""
    progress = Progress(settings)
    for _ in range(3):
        progress.started("finalize", RAW)
    progress.completed("finalize", RAW)
    progress.completed("finalize", RAW)
    assert states(settings, "finalize") == ["pending", "in_progress", "completed"]


def test_a_slow_worker_that_lost_its_task_tells_nothing_late(settings):
    """News of an earlier state, after a later one is out, is dropped."""
    progress = Progress(settings)
    progress.completed("finalize", RAW)
    progress.started("finalize", RAW)
    progress.failed("finalize", RAW)
    assert states(settings, "finalize") == ["completed"]


def test_a_failed_step_may_still_complete_when_retried_by_hand(settings):
    """What was told stays told."""
    progress = Progress(settings)
    progress.started("finalize", RAW)
    progress.failed("finalize", RAW)
    progress.started("finalize", RAW)
    progress.completed("finalize", RAW)
    assert states(settings, "finalize") == ["pending", "in_progress", "failed", "completed"]


def whole(progress, steps=STEP_NAMES):
    """Tell of every step, and of each track's part of it."""
    for step in steps:
        for index in (0, 1, 2) if step in TRACK_STEPS else (None,):
            raw = RAW if index is None else {**RAW, "track_index": index}
            progress.started(step, raw)
            progress.completed(step, raw)


def test_what_is_retried_by_hand_is_told_again(settings):
    """The failed step alone, with new ids; what completed stays, and nothing falls any more."""
    progress = Progress(settings)
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


def test_the_finalize_that_sets_error_is_no_progress(settings):
    """A failed run says `failed` of its step, and no more; retried, it tells its own finalize."""
    progress = Progress(settings)
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
def test_a_rerun_is_told_from_its_step_on(settings, step, first, left):
    """Everything from there on is told again, and nothing before it; the way leads to 100 again."""
    progress = Progress(settings)
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


def test_what_an_older_workflow_of_the_run_tells_stays_its_own(settings):
    """A run that begins anew has another workflow; neither's news is the other's."""
    progress = Progress(settings)
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
    progress = Progress(settings)
    progress.planned(RUN, TRACKS)
    whole(progress)
    progress.again(RUN.run_id, "wf-1", from_step="generate_summary")
    progress.started("generate_summary", RAW)
    shown = candidate_states(settings, RUN.run_id, "wf-1")
    assert shown["generate_title"] == "completed  64%"
    assert shown["generate_summary"] == "in progress  64%"
    assert "finalize" not in shown


def test_tracks_tell_which_of_how_many(settings):
    """`transcribing track 2 of 3` can be read from the message."""
    progress = Progress(settings)
    progress.planned(RUN, TRACKS)
    progress.started("transcribe_track", {**RAW, "track_index": 1})
    last = told(settings)[-1]
    assert (last["track_index"], last["track_total"], last["step_status"]) == (1, 3, "in_progress")
    assert states(settings, "transcribe_track", 0) == ["pending"]


def test_the_fork_helper_is_not_shown(settings):
    """Fourteen visible steps; the fifteenth is machinery."""
    Progress(settings).started("generate_dynamic_fork_tasks", RAW)
    assert told(settings) == []


def test_percent_rises_to_a_hundred(settings):
    """A whole run ends at 100, and never falls on its way."""
    progress = Progress(settings)
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
        pytest.param([("finalize", None, "failed")], 1, 7, id="a failed step has ended too"),
        pytest.param([("finalize", None, "in_progress")], 1, 0, id="in progress is not done"),
        pytest.param([("pad_track", 0, "completed")], 2, 3, id="half of a step"),
        pytest.param(
            [(s, None, "completed") for s in VISIBLE_STEPS], 1, 100, id="all, without rounding up"
        ),
    ],
)
def test_percent_counts_ended_steps(ended, tracks, expected):
    """Of fourteen; a track counts for its part."""
    assert percent_of(ended, tracks) == expected


def test_what_the_server_timed_out_is_caught_up(settings):
    """A timeout on the server is nobody's news until the execution is read."""
    runs = [
        StepRun(name="get_recording", status="completed"),
        StepRun(name="pad_track", track_index=1, attempt=1, status="timed_out"),
        StepRun(name="pad_track", track_index=0, attempt=1, status="timed_out"),
        StepRun(name="pad_track", track_index=0, attempt=2, status="completed"),
    ]
    progress = Progress(settings)
    progress.catch_up(RUN, runs, has_ended=False)
    assert states(settings, "pad_track", 1) == []
    progress.catch_up(RUN, runs, has_ended=True)
    progress.catch_up(RUN, runs, has_ended=True)
    assert states(settings, "get_recording") == ["completed"]
    assert states(settings, "pad_track", 1) == ["failed"]
    assert states(settings, "pad_track", 0) == ["completed"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_tell_at_once_tell_one_story(
    kind, tmp_path, request, monkeypatch, redis_server
):
    """All tell of all tracks: each state once, in order, and the percentage never falls.

    On the bus as in the store. Threads stand for processes: what orders them within one is
    taken away.
    """
    monkeypatch.setattr("reflector_migrate.conductor.progress.turns_of", nullcontext)
    monkeypatch.setattr("reflector_migrate.conductor.progress.percent_of", slowly)
    monkeypatch.setattr("reflector_migrate.conductor.progress.Bus", SlowBus)
    settings = settings_of(tmp_path, f"{redis_server}/2")
    ear = redis.Redis.from_url(f"{redis_server}/2", socket_timeout=5).pubsub()
    ear.psubscribe("*ts:tr-1")
    _next(ear)
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url")
        upgrade(url)
        store = settings.store.model_copy(update={"url": url})
        settings = settings.model_copy(update={"store": store})
    tracks = [Track(track_index=i, s3_key=f"k{i}") for i in range(8)]
    Progress(settings).planned(RUN, tracks)
    with ThreadPoolExecutor(4) as pool:
        for n in (0, 2, 4, 6):
            pool.submit(tell_all, settings, [*range(n, 8), *range(n)])
    for index in range(8):
        assert states(settings, "pad_track", index) == ["pending", "in_progress", "completed"]
    percents = [d["percent"] for d in told(settings)]
    assert percents == sorted(percents)
    assert percents[-1] == 7
    heard = [json.loads(_next(ear)["data"])["data"]["id"] for _ in percents]
    assert heard == [d["id"] for d in told(settings)]
    ear.close()


class SlowBus(Bus):
    """Others may overtake on the way to the bus, if anything lets them."""

    def publish(self, channel, message):
        """After a moment."""
        time.sleep(random.random() / 50)
        return super().publish(channel, message)


def slowly(states, track_total):
    """Draw the conclusion while others tell."""
    found = percent_of(states, track_total)
    time.sleep(random.random() / 50)
    return found


def tell_all(settings, indexes):
    """What a process tells that pads these tracks."""
    for index in indexes:
        Progress(settings).started("pad_track", {**RAW, "track_index": index})
        Progress(settings).completed("pad_track", {**RAW, "track_index": index})


def test_telling_never_harms_the_step(tmp_path):
    """No store, no bus, nonsense for input: nothing is raised."""
    url = f"sqlite:///{tmp_path / 'missing' / 'tables.db'}"
    progress = Progress(Settings.model_validate({"store": {"url": url}}))
    progress.started("finalize", RAW)
    progress.completed("finalize", {"run": "nonsense"})
    progress.failed("finalize", {})


def test_listeners_hear_it_on_the_candidates_own_channel(tmp_path, redis_server):
    """In shadow the primary's channel stays silent; each message comes once, with an id."""
    settings = settings_of(tmp_path, f"{redis_server}/2")
    ear = redis.Redis.from_url(f"{redis_server}/2", socket_timeout=5).pubsub()
    ear.psubscribe("*ts:tr-1")
    _next(ear)
    for _ in range(2):
        Progress(settings).completed("finalize", RAW)
    Progress(settings).completed("post_zulip", RAW)
    heard = [_next(ear), _next(ear)]
    assert [m["channel"].decode() for m in heard] == ["shadow:ts:tr-1"] * 2
    data = [json.loads(m["data"]) for m in heard]
    assert [d["event"] for d in data] == ["PIPELINE_PROGRESS"] * 2
    assert [d["data"]["current_step"] for d in data] == ["finalize", "post_zulip"]
    assert data[0]["data"]["id"] != data[1]["data"]["id"]


def _next(ear):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if message := ear.get_message(timeout=0.2):
            return message
    raise AssertionError("nothing was published")

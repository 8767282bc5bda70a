"""Every step may run twice, die halfway or come late, and the result is the same."""

from __future__ import annotations

import json
import re

import pytest

from reflector_migrate.errors import TransientStepError
from reflector_migrate.harness import Harness
from reflector_migrate.model import VISIBLE_STEPS, spec_of
from reflector_migrate.pipeline.audio.progress import Pulse
from reflector_migrate.pipeline.effects import RecordedEffects
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.pipeline.runner import run_step
from reflector_migrate.pipeline.services.http import Caller
from reflector_migrate.pipeline.steps import finalize
from reflector_migrate.store.artifacts import Artifacts
from tests.pipeline_world import ORDER, make_world

pytestmark = pytest.mark.heavy

DEATHS = {
    "get_recording": (Rows, "reset"),
    "get_participants": (Rows, "upsert_participants"),
    "pad": (RecordedEffects, "put_media"),
    "mixdown_tracks": (Rows, "update_transcript"),
    "generate_waveform": (Rows, "append_event"),
    "transcribe": (Artifacts, "put"),
    "merge_transcripts": (Rows, "append_event"),
    "detect_topics": (RecordedEffects, "broadcast"),
    "generate_title": (Rows, "set_title"),
    "generate_summary": (RecordedEffects, "broadcast"),
    "finalize": (RecordedEffects, "broadcast"),
    "cleanup_consent": (RecordedEffects, "delete_local"),
    "post_zulip": (RecordedEffects, "post_zulip"),
    "send_webhook": (RecordedEffects, "send_webhook"),
}


@pytest.fixture(scope="module")
def undisturbed(s3_url, control, tmp_path_factory):
    """What a run leaves that nothing disturbs, and what it asked of the services."""
    world = brief(s3_url, control, tmp_path_factory.mktemp("undisturbed"))
    world.whole()
    return left_by(world), asked_of(control)


def brief(s3_url, control, folder, **overrides):
    """A refused recording with short tracks: it has every effect there is."""
    return make_world(
        folder, s3_url, control, scenario="denied-consent", is_brief=True, **overrides
    )


def left_by(world):
    """Everything a run leaves, but for clocks and signatures."""
    row = {name: getattr(world.row, name) for name in world.row.__slots__}
    effects = [e.model_dump(exclude={"at", "sha256"}) for e in world.effects()]
    text = json.dumps([effects, sorted(map(str, world.messages()))], default=str)
    text = re.sub(r'\\"timestamp\\":\\"[^"]*\\"|t=\d+,v1=\w+', "", text)
    media = {k: v for k, v in world.outputs["mixdown_tracks"].items() if k != "sha256"}
    return row, json.loads(text), world.keys("shadow-media"), media


def asked_of(control):
    """How often each paid service was called."""
    return {service: len(control.requests(service)) for service in ("recogniser", "llm")}


@pytest.mark.heavy
def test_every_step_runs_twice_and_nothing_changes(undisturbed, s3_url, control, tmp_path):
    """Row, events, effects, messages and objects are equal, and no paid call is made again."""
    world = brief(s3_url, control, tmp_path)
    for each in ORDER:
        world.do(each)
        first = world.outputs.get(each)
        world.do(each)
        assert world.outputs.get(each) == first
    assert left_by(world) == undisturbed[0]
    assert asked_of(control) == undisturbed[1]


@pytest.mark.heavy
def test_every_step_dies_twice_and_is_made_good(
    undisturbed, s3_url, control, tmp_path, monkeypatch
):
    """Killed before and after one of its writes, then run again: nothing is lost or doubled."""
    world = brief(s3_url, control, tmp_path)
    for each in ORDER:
        die_twice(world, each, monkeypatch)
        world.do(each)
    assert left_by(world) == undisturbed[0]
    assert asked_of(control) == undisturbed[1]


@pytest.mark.heavy
@pytest.mark.parametrize("name", ORDER)
def test_one_step_dies_twice_and_is_made_good(
    name, undisturbed, s3_url, control, tmp_path, monkeypatch
):
    """As above, one step at a time, so that no other step can hide what it did."""
    world = brief(s3_url, control, tmp_path)
    for each in ORDER:
        if each == name:
            die_twice(world, each, monkeypatch)
        world.do(each)
    assert left_by(world) == undisturbed[0]
    assert asked_of(control) == undisturbed[1]


@pytest.fixture(scope="module")
def rerun_world(s3_url, control, tmp_path_factory):
    """A whole run of a meeting with a track that starts at 0; no answer is remembered."""
    folder = tmp_path_factory.mktemp("rerun")
    world = make_world(
        folder, s3_url, control, scenario="zero-start", is_brief=True, is_from_0=True,
        cache={"ttl_s": 0},
    )  # fmt: skip
    world.whole()
    return world, left_by(world)


@pytest.mark.heavy
@pytest.mark.parametrize("step", VISIBLE_STEPS)
def test_a_rerun_from_any_step_leaves_what_the_first_run_left(step, rerun_world):
    """The padded tracks are deleted once they were heard: what needs them begins at the padding."""
    world, left = rerun_world
    begun = (spec_of(step).rerun_from or step).replace("plan_padding", "pad")
    for each in ORDER[ORDER.index(begun) :]:
        world.do(each)
    assert left_by(world) == left


def die_twice(world, name, monkeypatch):
    """Let the step die once before and once right after one of its writes."""
    kind, method = DEATHS[name]
    real = getattr(kind, method)

    def before(*_args, **_kwargs):
        raise KeyboardInterrupt

    def after(*args, **kwargs):
        real(*args, **kwargs)
        raise KeyboardInterrupt

    for death in (before, after):
        with monkeypatch.context() as patch:
            patch.setattr(kind, method, death)
            with pytest.raises(KeyboardInterrupt):
                world.do(name)


@pytest.mark.parametrize(("llm", "at_once"), [(48, 4), (5, 2), (3, 1)])
def test_a_task_makes_no_more_calls_at_once_than_are_reckoned_with(
    s3_url, control, tmp_path, monkeypatch, llm, at_once
):
    """What the language model's budget is divided by is what the steps really do."""
    world = brief(s3_url, control, tmp_path, budgets={"llm": llm})
    world.whole(until="get_participants")
    control.replay()
    words = [
        {"text": f"word{n} ", "start": float(n), "end": n + 0.5, "speaker": 0} for n in range(1500)
    ]
    stored = Artifacts(world.settings.store_url).put("run-1", "merge_transcripts", "all", words)
    control.set_noise("llm", latency_s=0.05)
    calling, most, real = [], [0], Caller._once

    def counted(self, *args, **named):
        calling.append(1)
        most[0] = max(most[0], len(calling))
        try:
            return real(self, *args, **named)
        finally:
            calling.pop()

    monkeypatch.setattr(Caller, "_once", counted)
    topics = world.step("detect_topics", words=stored._asdict()).output["topics"]
    assert most == [at_once] == [world.settings.llm_calls]
    world.step("generate_summary", words=stored._asdict(), topics=topics)
    assert most == [at_once]


@pytest.mark.heavy
def test_topics_resume_where_they_stopped(s3_url, control, tmp_path):
    """Topics named before a failure are in the row at once and never asked for again."""
    world = brief(s3_url, control, tmp_path, services={"llm_parallel": 1})
    world.whole(until="merge_transcripts")
    control.replay()
    words = [
        {"text": f"word{n} ", "start": float(n), "end": n + 0.5, "speaker": 0} for n in range(1500)
    ]
    stored = Artifacts(world.settings.store_url).put("run-1", "merge_transcripts", "all", words)
    control.set_fault("llm", "http_500", after=5)
    with pytest.raises(TransientStepError):
        world.step("detect_topics", words=stored._asdict())
    assert len(world.row.topics) == 2
    before = len([r for r in control.requests("llm") if r["status"] == 200])
    control.clear_faults()
    world.step("detect_topics", words=stored._asdict())
    answered = len([r for r in control.requests("llm") if r["status"] == 200])
    beats, raw = [], {"run": world.run.model_dump(), "words": stored._asdict()}
    run_step("detect_topics", raw, Harness.of(world.settings), heartbeat=lambda: beats.append(1))
    assert len(beats) >= 5  # nothing to wait for, and a row to be written five times
    assert (before, answered) == (5, 5 + 6)  # the third topic's analysis alone is asked again
    assert [t["timestamp"] for t in world.row.topics] == [0.0, 300.0, 600.0, 900.0, 1200.0]


def test_a_beginner_that_comes_too_late_empties_nothing(s3_url, control, tmp_path):
    """It took the task, froze, and was given up: what others made since stays in the row."""
    world = brief(s3_url, control, tmp_path)
    world.whole(until="detect_topics")
    before = world.row
    raw = {"run": world.run.model_dump(), "recording_id": world.run.recording_id}
    with pytest.raises(TransientStepError, match="given this attempt up"):
        run_step("get_recording", raw, Harness.of(world.settings), heartbeat=given_up)
    assert world.row == before


def given_up():
    """What the lease's heartbeat does once the server has given the task to another worker."""
    raise TransientStepError("the server has given this attempt up: TIMED_OUT")


def test_other_words_leave_no_topic_of_the_old_ones(s3_url, control, tmp_path):
    """Run again on less, detect_topics removes what is no longer a topic, also from captions."""
    world = brief(s3_url, control, tmp_path)
    world.whole(until="merge_transcripts")
    control.replay()
    for count, topics in ((700, 3), (200, 1)):
        words = [
            {"text": f"sentence{n}. ", "start": n, "end": n + 0.5, "speaker": 0}
            for n in range(count)
        ]
        stored = Artifacts(world.settings.store_url).put("run-1", "merge_transcripts", "all", words)
        world.step("detect_topics", words=stored._asdict())
        kept = [e["data"]["id"] for e in world.row.events if e["event"] == "TOPIC"]
        assert kept == [t["id"] for t in world.row.topics]
        assert len(kept) == topics
        assert f"sentence{count - 1}." in world.row.webvtt
        assert f"sentence{count}." not in world.row.webvtt


def test_topics_of_a_given_up_attempt_are_not_written(s3_url, control, tmp_path):
    """Another attempt may be at it: all topics are known, and none is put into the row."""
    world = brief(s3_url, control, tmp_path)
    world.whole(until="merge_transcripts")
    raw = {"run": world.run.model_dump(), "words": world.outputs["merge_transcripts"]["all_words"]}
    with pytest.raises(TransientStepError, match="given this attempt up"):
        run_step("detect_topics", raw, Harness.of(world.settings), heartbeat=given_up)
    assert world.row.topics == []


@pytest.mark.parametrize("before", ["mixdown_tracks", "merge_transcripts"])
def test_an_error_of_an_attempt_that_was_given_up_is_not_set(s3_url, control, tmp_path, before):
    """Retried meanwhile, the transcript must not be called broken by a straggler."""
    world = brief(s3_url, control, tmp_path)
    world.whole(until=before)
    raw = {"run": world.run.model_dump(), "recording_id": world.run.recording_id}
    with pytest.raises(TransientStepError, match="given this attempt up"):
        run_step(
            "finalize", {**raw, "outcome": "error"}, Harness.of(world.settings), heartbeat=given_up
        )
    assert world.row.status == "processing"


def test_a_drawing_that_takes_long_keeps_the_error_back_for_a_while_only(
    s3_url, control, tmp_path, monkeypatch
):
    """It has its share of the step's time; without a drawing the transcript still ends."""
    world = brief(s3_url, control, tmp_path)
    world.whole(until="mixdown_tracks")
    monkeypatch.setattr(finalize, "DRAWING_S", 0.0)
    monkeypatch.setattr(Pulse, "beat", beat_always)
    world.step("finalize", recording_id=world.run.recording_id, outcome="error")
    assert [e["event"] for e in world.row.events] == ["DURATION", "STATUS"]
    assert world.row.status == "error"


def test_a_refusal_during_the_drawing_is_not_taken_for_a_failed_drawing(
    s3_url, control, tmp_path, monkeypatch
):
    """The lease asks at intervals: what it said once it does not say again at once."""
    world = brief(s3_url, control, tmp_path)
    world.whole(until="mixdown_tracks")
    monkeypatch.setattr(Pulse, "beat", beat_always)
    refusals = iter([True])

    def given_up_once():
        if next(refusals, False):
            given_up()

    raw = {"run": world.run.model_dump(), "recording_id": world.run.recording_id}
    with pytest.raises(TransientStepError, match="given this attempt up"):
        run_step(
            "finalize",
            {**raw, "outcome": "error"},
            Harness.of(world.settings),
            heartbeat=given_up_once,
        )
    assert world.row.status == "processing"


def beat_always(pulse, done_s):
    """A short sound as if it were long."""
    pulse.callback(done_s)

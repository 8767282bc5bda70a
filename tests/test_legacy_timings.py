"""The plugin's spans as step runs, as far as a real deployment can be timed from outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reflector_migrate.shadow.observe.timings import steps_of

PROBE = Path(__file__).parent.parent / "fixtures" / "runs" / "worker-plugin-probe.jsonl"


def task(name, spans=(), **more):
    """A message of the plugin's about one task."""
    facts = {"task": f"x.{name}", "task_id": name, "state": "SUCCESS", "retries": 0}
    return facts | {"started": 1000.0, "duration_s": 2.0, "spans": list(spans)} | more


def probed():
    """The probe's inner steps one after another, as the plugin would send them."""
    lines = [json.loads(line) for line in PROBE.read_text().splitlines()]
    at, counts, spans = 1000.0, {}, []
    for line in (line for line in lines if line["e"] == "step" and line["step"] != "process"):
        name = line["step"]
        number = counts[name] = counts.get(name, -1) + 1
        spans.append(
            {"name": name, "n": number, "started": at, "duration_s": line["s"], "ok": True}
        )
        at += line["s"] + 0.01
    return spans


@pytest.mark.parametrize(
    ("name", "timed", "count"),
    [
        ("get_recording", "derived", 1),
        ("get_participants", "derived", 1),
        ("pad_track", "measured", 2),
        ("mixdown_tracks", "measured", 1),
        ("generate_waveform", "derived", 1),
        ("transcribe_track", "measured", 2),
        ("merge_transcripts", "unknown", 1),
        ("detect_topics", "measured", 1),
        ("generate_title", "measured", 1),
        ("generate_summary", "measured", 1),
        ("finalize", "measured", 1),
        ("generate_dynamic_fork_tasks", None, 0),
    ],
)
def test_how_each_step_of_a_real_run_is_timed(name, timed, count):
    """What the real pipeline's methods show, and no more."""
    found = [
        s for s in steps_of([task("task_pipeline_multitrack_process", probed())]) if s.name == name
    ]
    assert [step.timed for step in found] == [timed] * count
    if count == 2:
        assert [step.track_index for step in found] == [0, 1]


def test_an_unknown_time_is_none():
    """A step that cannot be timed has no times that a comparison could take for real."""
    steps = steps_of([task("task_pipeline_multitrack_process", probed())])
    (merge,) = [step for step in steps if step.name == "merge_transcripts"]
    assert (merge.started, merge.ended) == (None, None)


def test_the_waveform_lies_between_two_events():
    """From the end of DURATION's handler to the start of WAVEFORM's."""
    spans = probed()
    before = next(span for span in spans if span["name"] == "on_duration")
    after = next(span for span in spans if span["name"] == "on_waveform")
    steps = steps_of([task("task_pipeline_multitrack_process", spans)])
    (drawn,) = [step for step in steps if step.name == "generate_waveform"]
    assert drawn.started.timestamp() == pytest.approx(before["started"] + before["duration_s"])
    assert drawn.ended.timestamp() == pytest.approx(after["started"])


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("task_cleanup_consent", "cleanup_consent"),
        ("task_pipeline_post_to_zulip", "post_zulip"),
        ("send_transcript_webhook", "send_webhook"),
        ("task_send_webhook_if_needed", None),
        ("process_multitrack_recording", None),
    ],
)
def test_what_follows_is_timed_by_its_own_tasks(name, step):
    """Each is a Celery task of its own; those that only queue another are not steps."""
    assert [s.name for s in steps_of([task(name)])] == ([step] if step else [])


def test_a_failed_attempt_is_failed_and_numbered():
    """A webhook's third attempt that fails is attempt 3."""
    (step,) = steps_of([task("send_transcript_webhook", state="RETRY", retries=2)])
    assert (step.status, step.attempt) == ("failed", 3)


def test_a_failed_track_says_so():
    """The step that raised is the one that failed."""
    span = {"name": "transcribe_file", "n": 0, "started": 1.0, "duration_s": 1.0, "ok": False}
    steps = steps_of([task("task_pipeline_multitrack_process", [span], state="FAILURE")])
    assert [(s.name, s.status) for s in steps] == [("transcribe_track", "failed")]

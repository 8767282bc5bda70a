"""The guard: the monolith, given the real run's answers, leaves what the real pipeline left.

Differences allowed, all of them: ids and clocks (mapped), the waveform by what
encoder.py says, Zulip's message number. The
candidate's half of this guard is test_pipeline_steps_parity.py.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re

import pytest

from tests.encoder import assert_same_waveform
from tests.legacy_world import RUNS, legacy_sandbox, listening, plain, stage

pytestmark = pytest.mark.heavy
COLUMNS = (
    "name", "status", "locked", "duration", "title", "short_summary", "long_summary",
    "source_language", "target_language", "user_id", "audio_location", "share_mode",
    "participants", "reviewed", "meeting_id", "source_kind", "recording_id", "audio_deleted",
    "room_id", "webvtt",
)  # fmt: skip
ENDINGS = {"good": "ended", "zero-start": "ended", "denied-consent": "ended"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """One worker for all runs."""
    with legacy_sandbox(tmp_path_factory.mktemp("legacy")) as running:
        yield running


@pytest.fixture(scope="module", params=["good", "zero-start", "denied-consent", "recogniser-error"])
def replayed(request, sandbox):
    """A recorded run, run again through a real Celery worker."""
    run = stage(sandbox, request.param)
    with listening(run):
        run.process()
    return run


def test_every_column_of_the_row_agrees(replayed):
    """Field by field; ids are fresh, Zulip counts its own messages."""
    for column in COLUMNS:
        assert getattr(replayed.row, column) == replayed.wanted[column], column
    assert plain(replayed.row.topics) == plain(replayed.wanted["topics"])
    is_posted = replayed.wanted["zulip_message_id"] is not None
    assert (replayed.row.zulip_message_id is not None) is is_posted


def test_the_recordings_row_agrees_and_stays_pending(replayed):
    """What the first task inserts, as the real one does."""
    recording, wanted = (
        replayed.rows.get_recording(replayed.recording_id),
        replayed.recorded["recording"][0],
    )
    for column in ("bucket_name", "object_key", "status", "meeting_id", "track_keys"):
        assert getattr(recording, column) == wanted[column], column
    assert str(recording.recorded_at) == wanted["recorded_at"]


def test_the_rows_events_agree_in_order(replayed):
    """Names, order, data; the waveform within its tolerance."""
    got, wanted = replayed.row.events, replayed.wanted["events"]
    assert [e["event"] for e in got] == [e["event"] for e in wanted]
    for mine, theirs in zip(got, wanted, strict=True):
        if mine["event"] == "WAVEFORM":
            assert_same_waveform(mine["data"]["waveform"], theirs["data"]["waveform"])
        else:
            assert plain(mine["data"]) == plain(theirs["data"])


def test_the_bus_carried_the_same_messages_in_order(replayed):
    """Both channels, processing included, WAVEFORM excluded."""
    lines = (RUNS / replayed.name / "pubsub.jsonl").read_text().splitlines()
    wanted = [json.loads(line) for line in lines if line]
    assert replayed.renamed(replayed.bus) == plain(
        [{"channel": m["channel"], "message": m["message"]} for m in wanted]
    )


def test_zulip_got_the_recorded_message(replayed):
    """Stream, topic and content to the character; none after a failure."""
    got = [
        {"type": m["type"], "to": m["display_recipient"], "topic": m["subject"],
         "content": m["content"]}
        for m in replayed.control.zulip_messages()
    ]  # fmt: skip
    assert replayed.renamed(got) == plain([call["body"] for call in replayed.calls("zulip")])


def test_the_webhook_got_the_recorded_payload_signed_alike(replayed):
    """Every field in its order but event id and clock; headers; the signature fits the bytes."""
    deliveries, calls = replayed.control.webhooks(), replayed.calls("webhook")
    assert len(deliveries) == len(calls)
    for delivery, call in zip(deliveries, calls, strict=True):
        body = json.loads(delivery["body"])
        assert list(body["transcript"]) == list(call["body"]["transcript"])
        assert re.fullmatch("[0-9a-f]{32}", body["event_id"])
        volatile = {"event_id": "", "timestamp": ""}
        assert replayed.renamed(body | volatile) == plain(call["body"] | volatile)
        assert_signed(delivery, call)


def test_s3_holds_the_same_objects(replayed):
    """Keys and sizes agree, padded tracks left behind by a failure included."""
    recorded, identity = RUNS / replayed.name / "s3.json", replayed.wanted["id"]
    default = {
        "daily-tracks": [{"key": key} for key in replayed.scenario["keys"]],
        "reflector-media": [{"key": f"{identity}/audio.mp3", "size": 543212}],
    }
    left = json.loads(recorded.read_text()) if recorded.exists() else default
    theirs = {o["key"]: o["size"] for o in left["reflector-media"] if identity in o["key"]}
    mine = {
        effect.key.replace(replayed.row.id, identity): effect.size_bytes
        for effect in replayed.observed().effects
        if effect.kind == "s3_put"
    }
    assert mine == theirs
    assert replayed.keys("daily-tracks") == sorted(o["key"] for o in left["daily-tracks"])


def test_the_local_waveform_file_agrees(replayed):
    """audio.json stays, whatever became of the audio."""
    folder = replayed.settings.reflector.data_dir / replayed.row.id
    mine = json.loads((folder / "audio.json").read_text())
    assert_same_waveform(mine, json.loads((RUNS / replayed.name / "audio.json").read_text()))
    assert (folder / "audio.mp3").exists() is (replayed.name != "denied-consent")


def test_the_services_were_asked_the_same(replayed):
    """As often, with the same parameters; the language model knows the task by its id."""
    for service, kind, told in (
        ("llm", "llm", ("temperature", "max_tokens", "model", "stream")),
        ("recogniser", "gpu", ("language", "batch")),
    ):
        made = [json.loads(r["body"]) for r in replayed.control.requests(service)]
        asked = [c["body"] for c in replayed.calls(kind)]
        assert [sorted(b) for b in made] == [sorted(b) for b in asked]
        assert [[b[k] for k in told] for b in made] == [[b[k] for k in told] for b in asked]
        if kind == "llm":
            sessions = {b["litellm_session_id"] for b in made}
            assert sessions <= {span["task_id"] for span in replayed.spans}


def test_the_call_tree_is_the_probes(replayed):
    """Each task once, each the child of the one before it, all of one root."""
    probe = [json.loads(x) for x in (RUNS / "worker-plugin-probe.jsonl").read_text().splitlines()]
    tasks = [line["task"] for line in probe if line["e"] == "postrun"]
    spans = sorted(replayed.spans, key=lambda span: span["started"])
    assert [s["task"] for s in spans] == (tasks if replayed.name in ENDINGS else tasks[:2])
    assert {s["root_id"] for s in spans} == {spans[0]["task_id"]}
    assert [s["parent_id"] for s in spans] == [None, *(s["task_id"] for s in spans[:-1])]


def test_the_plugin_announced_the_recording_once(replayed):
    """One small message with what a dispatcher needs."""
    (message,) = [m for task, m in replayed.messages() if task == "migrate.shadow.dispatch"]
    cameras = [key for key in replayed.scenario["keys"] if "cam-audio" in key]
    assert (message["transcript_id"], message["bucket_name"], message["track_keys"]) == (
        replayed.row.id, "daily-tracks", cameras,
    )  # fmt: skip


def test_the_inner_spans_are_those_the_probe_saw(replayed):
    """Methods in the probe's order, but for the handlers that are folded into the work."""
    probe = [json.loads(x) for x in (RUNS / "worker-plugin-probe.jsonl").read_text().splitlines()]
    folded = {"get_transcript", "on_duration", "on_topic", "on_title", "on_short_summary",
              "on_long_summary"}  # fmt: skip
    wanted = [x["step"] for x in probe if x["e"] == "step" and x["step"] not in folded]
    (pipeline,) = [s for s in replayed.spans if s["spans"]]
    got = [span["name"] for span in pipeline["spans"]]
    if replayed.name == "recogniser-error":
        upto = wanted.index("transcribe_file") + 1
        wanted = [*wanted[:upto], "set_status", "process"]
    assert got == wanted


def test_the_reader_says_what_stands_there(replayed):
    """Status, words, events and effects of the observation are those of the recorded run."""
    seen = replayed.observed(
        zulip=replayed.control.zulip_messages(), webhooks=replayed.control.webhooks()
    )
    is_good = replayed.name in ENDINGS
    assert seen.status == ("completed" if is_good else "failed")
    words = [word for topic in replayed.wanted["topics"] for word in topic["words"]]
    assert [word.model_dump() for word in seen.outputs.words] == words
    assert seen.outputs.webvtt == replayed.wanted["webvtt"]
    assert [event.event for event in seen.events] == [
        event["event"] for event in replayed.wanted["events"]
    ]
    kinds = [effect.kind for effect in seen.effects]
    assert kinds.count("zulip_message") == kinds.count("webhook") == int(is_good)
    is_denied = replayed.name == "denied-consent"
    assert kinds.count("s3_delete") == (4 if is_denied else 0)
    assert kinds.count("local_delete") == int(is_denied)


def test_the_steps_are_timed_with_digests_and_usage(replayed):
    """Our own monolith measures every step, tracks by their number."""
    steps = replayed.observed().steps
    assert {step.timed for step in steps} == {"measured"}
    heard = [step.track_index for step in steps if step.name == "transcribe_track"]
    assert heard == ([0, 1] if replayed.name in ENDINGS else [0])
    if replayed.name in ENDINGS:
        assert all(step.output_digest and step.status == "completed" for step in steps)
        asked = {step.name: step.usage.llm_calls for step in steps}
        assert (asked["detect_topics"], asked["generate_title"]) == (2, 1)
    else:
        assert [s.status for s in steps if s.name == "transcribe_track"] == ["failed"]


def assert_signed(delivery, call):
    """The contract's headers, and a signature over the very bytes."""
    headers = {name.lower(): value for name, value in delivery["headers"].items()}
    for name in ("Content-Type", "User-Agent", "X-Webhook-Event", "X-Webhook-Retry"):
        assert headers[name.lower()] == call["headers"][name]
    at, signed = re.fullmatch(r"t=(\d+),v1=(\w+)", headers["x-webhook-signature"]).groups()
    message = f"{at}.{delivery['body']}".encode()
    assert hmac.new(b"hook-secret", message, hashlib.sha256).hexdigest() == signed

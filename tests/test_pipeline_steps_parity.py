"""The steps, given the real run's answers, leave what the real pipeline left."""

from __future__ import annotations

import hashlib
import hmac
import json
import re

import pytest

from reflector_migrate.errors import TransientStepError
from reflector_migrate.pipeline.context import place_of
from tests.encoder import assert_same_waveform
from tests.pipeline_world import make_world
from tests.recorded_world import RUNS
from tests.sources_world import BUCKETS

pytestmark = pytest.mark.heavy  # four whole recorded runs, step by step

FINISHED = ("good", "zero-start", "denied-consent")
FAILED = "recogniser-error"
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def worlds(s3_url, control, tmp_path_factory):
    """Each recorded run, run again in shadow once, by name."""
    made = {}

    def world_of(name):
        if name not in made:
            made[name] = run_again(name, s3_url, control, tmp_path_factory.mktemp(name))
        return made[name]

    return world_of


def run_again(name, s3_url, control, folder):
    """The steps in the workflow's order, to where the recorded run ended."""
    world = make_world(folder, s3_url, control, scenario=name)
    world.scenario_name = name
    if name == FAILED:
        fail(world)
    else:
        world.whole()
    world.asked = {service: control.requests(service) for service in ("llm", "recogniser")}
    world.left = {bucket: world.keys(bucket) for bucket in BUCKETS}
    return world


def fail(world):
    """The recogniser fails, and the failure workflow does what there is to do."""
    world.whole(until="generate_waveform")
    padded, language = world.outputs["pad"], world.outputs["get_recording"]["source_language"]
    fork = {"task_type": "transcribe_track", "padded": padded, "language": language}
    inputs = world.step("generate_dynamic_fork_tasks", **fork).output["inputs"]
    first = min(inputs.values(), key=lambda task: task["track_index"])
    with pytest.raises(TransientStepError, match="HTTP 500"):
        world.step("transcribe_track", **{k: v for k, v in first.items() if k != "run"})
    world.step("finalize", recording_id=world.run.recording_id, outcome="error")


@pytest.fixture(scope="module", params=[*FINISHED, FAILED])
def shadowed(request, worlds):
    """A recorded run, run again in shadow."""
    return worlds(request.param)


@pytest.fixture(scope="module", params=FINISHED)
def finished(request, worlds):
    """One that ended well."""
    return worlds(request.param)


def plain(value):
    """A value without topic ids and the exact waveform, which depends on the encoder."""
    text = IDS.sub("ID", json.dumps(value, sort_keys=True))
    return json.loads(text)


def test_the_row_is_the_recorded_one(shadowed):
    """Every column agrees, but for those that only a real post could fill."""
    row, recorded = shadowed.row, shadowed.recorded
    for column in (
        "name", "status", "title", "short_summary", "long_summary", "participants", "duration",
        "audio_location", "share_mode", "source_language", "target_language", "webvtt",
        "audio_deleted", "source_kind", "recording_id", "meeting_id", "locked", "reviewed",
    ):  # fmt: skip
        assert getattr(row, column) == recorded[column], column
    assert plain(row.topics) == plain(recorded["topics"])


def test_the_rows_events_are_the_recorded_ones_in_their_order(shadowed):
    """Names, order and data agree; the waveform within what two encoders' versions differ."""
    got, wanted = shadowed.row.events, shadowed.recorded["events"]
    assert [e["event"] for e in got] == [e["event"] for e in wanted]
    for mine, theirs in zip(got, wanted, strict=True):
        if mine["event"] != "WAVEFORM":
            assert plain(mine["data"]) == plain(theirs["data"])
            continue
        assert_same_waveform(mine["data"]["waveform"], theirs["data"]["waveform"])


def test_the_listeners_hear_what_the_real_bus_carried(shadowed):
    """Channel, order and payload of every message, each channel behind the run's prefix."""
    lines = (RUNS / shadowed.scenario_name / "pubsub.jsonl").read_text().splitlines()
    wanted = [json.loads(line) for line in lines if line]
    got = [(channel.removeprefix("shadow:run-1:"), m) for channel, m in shadowed.messages()]
    assert all(channel.startswith("shadow:run-1:") for channel, _ in shadowed.messages())
    assert plain(got) == plain([[m["channel"], m["message"]] for m in wanted])


def test_zulip_would_have_been_sent_the_recorded_message(finished):
    """Stream, topic and content, to the character."""
    (effect,) = finished.effects("zulip_message")
    assert effect.payload == recorded_call(finished, "zulip")["body"]


def test_the_webhook_would_have_been_sent_the_recorded_payload_correctly_signed(finished):
    """Every field but event id and clock; the signature fits the very bytes."""
    (effect,) = finished.effects("webhook")
    theirs = recorded_call(finished, "webhook")
    body = json.loads(effect.payload["body"])
    assert list(body) == list(theirs["body"])
    assert list(body["transcript"]) == list(theirs["body"]["transcript"])
    assert re.fullmatch("[0-9a-f]{32}", body["event_id"])
    volatile = {"event_id": "", "timestamp": ""}
    assert body | volatile == theirs["body"] | volatile
    headers = effect.payload["headers"]
    names = ("Content-Type", "User-Agent", "X-Webhook-Event", "X-Webhook-Retry")
    assert {n: headers[n] for n in names} == {n: theirs["headers"][n] for n in names}
    at, signed = re.fullmatch(r"t=(\d+),v1=(\w+)", headers["X-Webhook-Signature"]).groups()
    message = f"{at}.{effect.payload['body']}".encode()
    assert hmac.new(b"hook-secret", message, hashlib.sha256).hexdigest() == signed


def test_s3_holds_what_the_real_run_left(shadowed):
    """The mixed audio, or nothing after a refusal; padded tracks only after a failure."""
    recorded, own = RUNS / shadowed.scenario_name / "s3.json", shadowed.run.transcript_id
    default = [{"key": f"{own}/audio.mp3"}]
    left = json.loads(recorded.read_text())["reflector-media"] if recorded.exists() else default
    assert shadowed.left["shadow-media"] == [o["key"] for o in left if own in o["key"]]
    assert shadowed.left["daily-tracks"] == sorted(shadowed.scenario["keys"])
    assert shadowed.left["shadow-tracks"] == sorted(shadowed.scenario["keys"])
    assert shadowed.left["reflector-media"] == []
    is_failed = shadowed.scenario_name == FAILED
    assert sum("/padded_" in key for key in shadowed.left["shadow-media"]) == 2 * is_failed


def test_after_a_failure_nothing_is_published_or_deleted(worlds):
    """No post chain: no Zulip, no webhook, no deletion; status first, then error, on both buses."""
    failed = worlds(FAILED)
    assert failed.row.status == "error"
    assert {effect.kind for effect in failed.effects()} == {"s3_put"}
    told = [m["data"]["value"] for _, m in failed.messages() if m["event"].endswith("STATUS")]
    assert told == ["processing", "processing", "error", "error"]
    assert failed.asked["llm"] == []


def test_every_recorded_request_was_made_again_and_no_other(shadowed):
    """The same calls of recogniser and language model, with the same parameters."""
    lines = (RUNS / shadowed.scenario_name / "http.jsonl").read_text().splitlines()
    calls = [json.loads(line) for line in lines]
    for service, kind, told in (
        ("llm", "llm", ("temperature", "max_tokens", "model", "stream")),
        ("recogniser", "gpu", ("language", "batch")),
    ):
        asked = [c["body"] for c in calls if c["kind"] == kind]
        made = [json.loads(r["body"]) for r in shadowed.asked[service]]
        assert [sorted(b) for b in made] == [sorted(b) for b in asked]
        values = [sorted(str([b[k] for k in told]) for b in bodies) for bodies in (made, asked)]
        assert values[0] == values[1]


def test_the_recogniser_is_given_an_address_that_reads_without_our_credentials(shadowed):
    """Presigned as the real one does it in us-east-1, to the padded or the original track."""
    calls = shadowed.asked["recogniser"]
    urls = [json.loads(r["body"])["audio_file_url"] for r in calls]
    for url in urls:
        address, _, query = url.partition("?")
        assert re.fullmatch(r"AWSAccessKeyId=[^&]+&Signature=[^&]+&Expires=\d+", query)
        assert address.endswith(".webm") == ("/shadow-media/run-1/file_pipeline/" in address)
    is_padded = [".webm?" in url for url in sorted(urls)]
    assert is_padded.count(False) == (shadowed.scenario_name == "zero-start")


def test_refused_consent_deletes_all_that_may_be_deleted(shadowed):
    """Raw tracks are recorded as deleted, the candidate's own mixed audio really is."""
    deleted = {e.key for e in shadowed.effects("s3_delete") if "tracks/padded" not in e.key}
    mixed = f"{shadowed.run.transcript_id}/audio.mp3"
    is_refused = shadowed.scenario_name == "denied-consent"
    assert deleted == ({*shadowed.scenario["keys"], mixed} if is_refused else set())
    local = place_of(shadowed.run, shadowed.settings).data_dir / mixed
    assert local.exists() is not is_refused


def test_what_was_used_is_reported_by_step(finished):
    """Sound, questions, objects: each at the step that paid for it."""
    usage = finished.usage
    assert usage["transcribe_track"].gpu_seconds > 0
    assert usage["transcribe_track"].gpu_seconds_estimated is True
    calls = {name: used.llm_calls for name, used in usage.items() if used.llm_calls}
    assert calls == {"detect_topics": 2, "generate_title": 1, "generate_summary": 2 + 2 * 2 + 1}
    assert usage["detect_topics"].llm_tokens_in > usage["detect_topics"].llm_tokens_out > 0
    assert usage["mixdown_tracks"].s3_bytes > finished.outputs["mixdown_tracks"]["size"]
    assert usage["get_recording"].external_calls == usage["get_participants"].external_calls == 1
    assert not any(used.retries or used.cache_hits for used in usage.values())


def recorded_call(world, kind):
    """The one call of a kind that the real run made."""
    lines = (RUNS / world.scenario_name / "http.jsonl").read_text().splitlines()
    (call,) = [c for c in map(json.loads, lines) if c["kind"] == kind]
    return call

"""What a real worker does beside the good road: failures, retries, reprocess, poller, lock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime

import pytest

from reflector_migrate.sandbox.legacy import process
from reflector_migrate.sandbox.standins.client import recorded_answers
from tests.legacy_world import PIPELINE, PROCESS, RUNS, legacy_sandbox, stage

pytestmark = pytest.mark.live
REPROCESS = """
import sys
from reflector_migrate.errors import MigrateError
from reflector_migrate.sandbox.legacy.process import reprocess
try:
    reprocess(sys.argv[1])
    print("queued")
except MigrateError as refused:
    print(type(refused).__name__)
"""
POLL = "reflector.worker.process.poll_daily_recordings"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """One worker for all of this file."""
    with legacy_sandbox(tmp_path_factory.mktemp("chain")) as running:
        yield running


@pytest.fixture
def run(sandbox):
    """The recorded good run, its tracks a second long each."""
    return stage(sandbox, "good", is_brief=True)


def states(run):
    """Last state by the last part of a task's name."""
    return {span["task"].rsplit(".", 1)[-1]: span["state"] for span in run.spans}


def test_a_zulip_that_is_down_means_that_no_webhook_is_sent(run):
    """The chain is strictly serial and nothing in it is tried again; the status stays `ended`."""
    run.control.set_fault("zulip", "http_500")
    run.process()
    assert run.row.status == "ended"
    assert run.control.webhooks() == []
    assert states(run)["task_pipeline_post_to_zulip"] == "FAILURE"
    assert "task_send_webhook_if_needed" not in states(run)


def test_a_broken_receiver_is_tried_again_with_the_same_event(run):
    """A 5xx is retried after the fixed pause, counted in a header, under one event id."""
    run.control.set_webhook_status("hook", 500, times=2)
    run.process()
    deliveries = run.control.webhooks()
    assert [d["status"] for d in deliveries] == [500, 500, 200]
    headers = [{k.lower(): v for k, v in d["headers"].items()} for d in deliveries]
    assert [h["x-webhook-retry"] for h in headers] == ["0", "1", "2"]
    assert len({json.loads(d["body"])["event_id"] for d in deliveries}) == 1
    seen = run.observed(webhooks=deliveries)
    assert [effect.kind for effect in seen.effects].count("webhook") == 1


@pytest.mark.parametrize("status", [410, 429])
def test_a_receiver_that_refuses_has_the_last_word(run, status):
    """A 4xx is delivered once and not again."""
    run.control.set_webhook_status("hook", status)
    run.process()
    time.sleep(0.6)  # three times the pause after which a retry would come
    assert [d["status"] for d in run.control.webhooks()] == [status]


def test_daily_may_fail(run):
    """Without Daily there are no names, and still a transcript."""
    run.control.set_fault("daily", "http_500")
    run.process()
    assert run.row.status == "ended"
    assert [p["name"] for p in run.row.participants] == ["Speaker 0", "Speaker 1"]


def test_a_reprocess_takes_every_key_and_keeps_the_title(run):
    """The screen between two cameras shifts the words of the second speaker, as it really does."""
    run.process()
    first = run.row
    alice, bob, screen = run.scenario["keys"]
    answers = recorded_answers(RUNS / "good")
    heard = answers["recogniser"]
    heard[0]["match"], heard[1]["match"] = ["padded_0."], ["padded_2."]
    silent = {"match": ["padded_1."], "words": []}
    llm = [one for one in answers["llm"] if one["kind"] != "title"]
    llm.append({"kind": "title", "reply": "something else"})
    run.control.replay(llm=llm, recogniser=[*heard, silent])
    run.broker().delete("shadow")
    run.send(
        PIPELINE, transcript_id=first.id, bucket_name="daily-tracks",
        track_keys=[alice, screen, bob],
    )  # fmt: skip
    run.settle()
    again = run.row
    assert {w["speaker"] for topic in again.topics for w in topic["words"]} == {0, 2}
    assert [(p["name"], p["speaker"]) for p in again.participants] == [
        ("Alice Archer", 0), ("Bob Brown", 1),
    ]  # fmt: skip
    assert (again.id, again.title, again.created_at) == (first.id, first.title, first.created_at)
    titles = [e["data"]["title"] for e in again.events if e["event"] == "FINAL_TITLE"]
    assert titles == ["Something Else"]
    assert again.zulip_message_id == first.zulip_message_id
    assert [m["edits"] for m in run.control.zulip_messages()] == [1]


@pytest.mark.parametrize(
    ("columns", "answer"),
    [
        pytest.param({"status": "idle"}, "RefusedError", id="not recorded yet"),
        pytest.param({"status": "ended", "locked": True}, "RefusedError", id="locked"),
        pytest.param({"status": "ended", "recording_id": None}, "InputError", id="no recording"),
        pytest.param({"status": "error"}, "queued", id="after a failure"),
    ],
)
def test_who_may_be_reprocessed(run, sandbox, columns, answer):
    """What the real door refuses is refused; else every key is queued, screens included."""
    run.rows.insert_recording(
        id=run.recording_id, bucket_name="daily-tracks", object_key="o",
        recorded_at=datetime.now(UTC), track_keys=run.scenario["keys"],
    )  # fmt: skip
    identity = str(uuid.uuid4())
    run.rows.insert_transcript(**{"id": identity, "recording_id": run.recording_id} | columns)
    env = os.environ | {"MIGRATE_CONFIG": str(sandbox.folders.config)}
    asked = [sys.executable, "-c", REPROCESS, identity]
    said = subprocess.run(asked, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout.strip() == answer, said.stderr[-500:]
    if answer == "queued":
        wait_for(lambda: any(task == "migrate.shadow.dispatch" for task, _ in run.messages()))
        (message,) = [m for task, m in run.messages() if task == "migrate.shadow.dispatch"]
        assert message["track_keys"] == run.scenario["keys"]
        wait_for(lambda: states(run).get("task_pipeline_multitrack_process") is not None)


def test_a_poll_finds_a_recording_once(run):
    """Tracks that Daily lists are processed; a recording with a row is left alone."""
    known = {
        "id": run.recording_id, "room_name": run.scenario["room"], "start_ts": 1,
        "status": "finished", "duration": 34, "mtgSessionId": "mtg-0001",
        "tracks": [{"type": "audio", "s3Key": key, "size": 1} for key in run.scenario["keys"]],
    }  # fmt: skip
    run.control.put_daily_recording(known, [])
    run.send(POLL)
    run.settle()
    asked = len(run.control.requests("daily"))
    run.send(POLL)
    wait_for(lambda: len(run.control.requests("daily")) > asked)
    time.sleep(1.0)
    announced = [m for task, m in run.messages() if task == "migrate.shadow.dispatch"]
    assert len(announced) == 1


def test_what_another_worker_has_in_hand_is_skipped(run):
    """A held lock means no row and no pipeline."""
    import redis

    bus = redis.Redis.from_url(run.settings.reflector.bus_url)
    bus.set(f"async_lock:recording:{run.recording_id}", "other", px=60_000)
    run.send(
        PROCESS, bucket_name="daily-tracks", daily_room_name=run.scenario["room"],
        recording_id=run.recording_id, track_keys=run.scenario["keys"],
    )  # fmt: skip
    wait_for(lambda: states(run).get("process_multitrack_recording") == "SUCCESS")
    bus.delete(f"async_lock:recording:{run.recording_id}")
    assert run.row is None


def test_an_unknown_room_fails_before_any_row(run):
    """Neither recording nor transcript is made for an unknown meeting."""
    run.send(
        PROCESS, bucket_name="daily-tracks", daily_room_name="elsewhere-1",
        recording_id=run.recording_id, track_keys=run.scenario["keys"],
    )  # fmt: skip
    wait_for(lambda: states(run).get("process_multitrack_recording") == "FAILURE")
    assert run.rows.get_recording(run.recording_id) is None


@pytest.mark.parametrize(
    ("key", "at"),
    [
        pytest.param("rig/room-20251215120000/x", "2025-12-15T12:00:00+00:00", id="from the name"),
        pytest.param("20251231235959/x", "2025-12-31T23:59:59+00:00", id="nothing but digits"),
    ],
)
def test_the_time_of_a_recording_is_in_its_folders_name(key, at):
    """Fourteen digits, read as UTC."""
    assert process.recorded_at(key).isoformat() == at


def test_a_folder_without_a_time_means_now():
    """What cannot be read is recorded as now, never as an error."""
    age = time.time() - process.recorded_at("rig/room-99999999999999/x").timestamp()
    assert abs(age) < 5


def wait_for(condition, timeout_s=30.0):
    """Wait until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)

"""A four-hour meeting of eight tracks stays small on the server: large data goes by reference.

A real execution: real workers, real steps, 36,000 words from a recogniser that replays them.
Only the tracks are short: how long they sound shows in no payload but as a number.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from datetime import UTC, datetime

import pytest

from reflector_migrate.clients.conductor import connected
from reflector_migrate.clients.connections import connections
from reflector_migrate.conductor.start import start_workflow
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.context import place_of
from reflector_migrate.pipeline.contracts import Run, Track
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.pipeline.rows import Rows, fill_run_tables
from reflector_migrate.sandbox.standins.client import StandinControl
from tests.conductor_world import catch_up
from tests.sources_world import tone

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

TRACKS, WORDS_PER_TRACK, LENGTH_S = 8, 4500, 4 * 3600
TASK_BYTES, EXECUTION_BYTES = 64 * 1024, 1024 * 1024
SAID = ("budget", "we", "should", "move", "the", "release", "to", "Friday,", "because", "tests.")
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FOLDER = "sandbox-of-a-long-name/four-hours-20260302090000"


@pytest.fixture(scope="module")
def executed(stack):
    """The workflow as the server has it at its end, and the row it filled."""
    settings = stack.settings
    run, tracks = _meeting(settings)
    with StandinControl(settings.sandbox.control_url or "", timeout_s=60.0) as control:
        control.reset()
        control.replay(recogniser=[_heard(index) for index in range(TRACKS)])
        control.put_daily_recording(*_as_daily_knows_it(run, tracks))
        workflow_id = start_workflow(Harness.of(settings), run, tracks)
        deadline = time.monotonic() + 480
        while catch_up(settings, workflow_id).status == "running":
            assert time.monotonic() < deadline
            time.sleep(0.5)
        control.reset()
    with connected(settings) as client:
        row = Rows.at(place_of(run, settings).database_url).get_transcript(run.transcript_id)
        return client.workflow(workflow_id), row


def _meeting(settings):
    """Rows and tracks in the candidate's own places."""
    unique = uuid.uuid4()
    keys = [f"{FOLDER}/17724420-{uuid.uuid4()}-cam-audio-17724420{n:05}" for n in range(TRACKS)]
    run_id = uuid.uuid4().hex
    rows = fill_run_tables(settings.candidate.database_url, run_id, {})
    _insert_rows(rows, f"{unique}", keys)
    bucket = place_of_run(settings, run_id).tracks_bucket
    name, _, folder = bucket.partition("/")
    for n, key in enumerate(keys):
        body = tone(0.2 + n / 10)
        connections(settings).s3.put_object(Bucket=name, Key=f"{folder}/{key}", Body=body)
    run = Run(
        run_id=run_id,
        recording_id=f"rec-{unique}",
        transcript_id=f"{unique}",
        namespace=settings.candidate.namespace,
        bucket_name=bucket,
        room_id="hall",
    )
    return run, [Track(track_index=n, s3_key=key) for n, key in enumerate(keys)]


def _insert_rows(rows, unique, keys):
    """A room that posts to Zulip and to a receiver, and what belongs to the recording."""
    told = {"zulip_auto_post": True, "zulip_stream": "s", "zulip_topic": "t"}
    hook = "http://127.0.0.1:1/hook"
    rows.insert_room(id="hall", name="hall", user_id="u", webhook_url=hook, **told)
    held = {"room_name": "hall-20260302090000", "start_date": AT, "end_date": AT}
    rows.insert_meeting(id="m4", room_id="hall", **held)
    of = {"bucket_name": "daily-tracks", "object_key": FOLDER, "track_keys": keys}
    rows.insert_recording(id=f"rec-{unique}", recorded_at=AT, meeting_id="m4", **of)
    mine = {"recording_id": f"rec-{unique}", "meeting_id": "m4", "room_id": "hall"}
    rows.insert_transcript(id=unique, user_id="u", **mine)


def _as_daily_knows_it(run, tracks):
    """The recording, and who sat in it: a track's key holds its participant's id."""
    known = {"id": run.recording_id, "room_name": "hall", "start_ts": 0, "status": "finished",
             "duration": LENGTH_S, "tracks": [], "mtgSessionId": "session"}  # fmt: skip
    ids = [UUID.search(track.s3_key)[0] for track in tracks]
    people = [
        {"participant_id": one, "user_name": f"Person {n}", "user_id": None, "join_time": 0,
         "duration": LENGTH_S}
        for n, one in enumerate(ids)
    ]  # fmt: skip
    return known, people


def _heard(index):
    """A track's words, spread over four hours, each track a little later than the one before."""
    step_s = LENGTH_S / WORDS_PER_TRACK
    times = (round(n * step_s + index * 0.3, 2) for n in range(WORDS_PER_TRACK))
    words = [
        {"word": f"{_said(n)} ", "start": at, "end": round(at + 0.4, 2)}
        for n, at in enumerate(times)
    ]
    return {"match": [f"padded_{index}."], "words": words}


def _said(n):
    """A word; every twentieth is a number, so that no stretch of the meeting repeats another."""
    return str(n) if n % 20 == 0 else SAID[n % len(SAID)]


def test_a_four_hour_meeting_is_executed(executed):
    """All 36,000 words and over a hundred topics, within the requirements' own timeouts."""
    workflow, row = executed
    assert workflow["status"] == "COMPLETED", workflow.get("reasonForIncompletion")
    assert {task["taskDefName"] for task in workflow["tasks"]} >= set(STEP_NAMES)
    assert not [task["taskDefName"] for task in workflow["tasks"] if task["status"] == "TIMED_OUT"]
    assert workflow["output"]["word_count"] == TRACKS * WORDS_PER_TRACK
    assert len(row.topics) >= 100
    assert sum(len(topic["words"]) for topic in row.topics) == TRACKS * WORDS_PER_TRACK


def test_no_payload_is_large_and_neither_is_the_execution(executed):
    """Every task's input and output is under 64 KB and the whole execution under 1 MB."""
    workflow, row = executed
    sizes = {
        f"{task['referenceTaskName']}.{part}": len(json.dumps(task[part]).encode())
        for task in workflow["tasks"]
        for part in ("inputData", "outputData")
    }
    assert max(sizes.values()) <= TASK_BYTES, max(sizes, key=lambda name: sizes[name])
    assert len(json.dumps(workflow).encode()) <= EXECUTION_BYTES
    assert len(json.dumps(row.topics).encode()) > EXECUTION_BYTES  # what travels by reference


def test_each_call_of_the_model_is_accounted_for(executed):
    """The calls' tokens, one by one, add up to the step's."""
    workflow, _ = executed
    (task,) = [t for t in workflow["tasks"] if t["taskDefName"] == "detect_topics"]
    used = task["outputData"]["_meta"]["usage"]
    calls = used["llm_tokens_per_call"]
    assert len(calls) == used["llm_calls"] >= 200
    assert [sum(column) for column in zip(*calls, strict=True)] == [
        used["llm_tokens_in"], used["llm_tokens_out"],
    ]  # fmt: skip

"""How a recording comes in: by Daily's webhook, by the poller, or again by a person."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import httpx
import redis

from reflector_migrate.errors import InputError, RefusedError, TerminalStepError
from reflector_migrate.model.primary_task import PIPELINE_TASK
from reflector_migrate.pipeline.rows import Rows, TranscriptRow
from reflector_migrate.sandbox.legacy.app import app, harness, registered
from reflector_migrate.settings import Settings

LOCK_S = 600
BUS_TIMEOUT_S = 5.0
INSPECT_TIMEOUT_S = 1.0


@registered("worker.process.process_multitrack_recording")
def process_multitrack_recording(
    bucket_name: str, daily_room_name: str, recording_id: str, track_keys: list[str]
) -> None:
    """Make the rows of a recording and queue its pipeline; skip what another worker has in hand."""
    if not track_keys:
        return
    bus = redis.Redis.from_url(harness().settings.reflector.bus_url, socket_timeout=BUS_TIMEOUT_S)
    lock = bus.lock(f"async_lock:recording:{recording_id}", timeout=LOCK_S, blocking=False)
    if not lock.acquire():
        return
    try:
        transcript = register(
            harness().settings, bucket_name, daily_room_name, recording_id, track_keys
        )
    finally:
        lock.release()
    cameras = [key for key in track_keys if "cam-audio" in key]
    enqueue(transcript.id, bucket_name, cameras)


def register(
    configured: Settings, bucket_name: str, daily_room_name: str, recording_id: str,
    track_keys: Sequence[str],
) -> TranscriptRow:  # fmt: skip
    """Make recording and transcript unless they exist; raise when meeting or room is unknown."""
    rows = rows_of(configured)
    meeting = rows.meeting_in(daily_room_name)
    room = rows.room_named(daily_room_name.rpartition("-")[0])
    if meeting is None or room is None:
        raise TerminalStepError(f"no meeting or room for {daily_room_name}")
    rows.insert_recording(
        id=recording_id,
        bucket_name=bucket_name,
        object_key=str(PurePosixPath(track_keys[0]).parent),
        recorded_at=recorded_at(track_keys[0]),
        meeting_id=meeting.id,
        track_keys=list(track_keys),
    )
    known = rows.transcript_of(recording_id)
    if known is not None:
        return known
    transcript_id = str(uuid.uuid4())
    rows.insert_transcript(
        id=transcript_id,
        user_id=room.user_id,
        meeting_id=meeting.id,
        recording_id=recording_id,
        room_id=room.id,
    )
    return rows.get_transcript(transcript_id)


def recorded_at(track_key: str) -> datetime:
    """The instant in the folder's name, its last 14 digits read as UTC; else now."""
    digits = re.search(r"(\d{14})$", PurePosixPath(track_key).parent.name)
    try:
        return datetime.strptime(digits[1] if digits else "", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC)


def enqueue(transcript_id: str, bucket_name: str, track_keys: Sequence[str]) -> str:
    """Queue the pipeline; the task's id."""
    sent = app.send_task(
        PIPELINE_TASK,
        kwargs={
            "transcript_id": transcript_id,
            "bucket_name": bucket_name,
            "track_keys": list(track_keys),
        },
    )
    return str(sent.id)


@registered("worker.process.poll_daily_recordings")
def poll_daily_recordings() -> None:
    """Queue those of Daily's latest hundred recordings that have tracks and no row yet."""
    configured = harness().settings
    found = _daily_recordings(configured)
    known = rows_of(configured).known_recordings(one["id"] for one in found)
    for one in found:
        tracks = [t["s3Key"] for t in one.get("tracks") or () if t.get("type") == "audio"]
        if one["id"] not in known and tracks:
            process_multitrack_recording.delay(
                bucket_name=configured.reflector.tracks_bucket,
                daily_room_name=one["room_name"],
                recording_id=one["id"],
                track_keys=tracks,
            )


def _daily_recordings(configured: Settings) -> list[dict[str, Any]]:
    services = configured.services
    key = services.daily_api_key
    answer = httpx.get(
        f"{services.daily_url.rstrip('/')}/recordings",
        params={"limit": 100},
        headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
        timeout=services.daily_timeout_s,
    )
    answer.raise_for_status()
    return list(answer.json()["data"])


def reprocess(transcript_id: str) -> str:
    """Queue a transcript's pipeline again, with every track it has, screens included.

    Raises InputError for what has no recording, RefusedError for what is locked, idle or running.
    """
    rows = rows_of(harness().settings)
    transcript = rows.find_transcript(transcript_id)
    recording = rows.get_recording((transcript and transcript.recording_id) or "")
    if transcript is None or recording is None:
        raise InputError(f"transcript {transcript_id} has no recording")
    if transcript.locked or transcript.status == "idle":
        raise RefusedError(f"transcript {transcript_id} is locked or not recorded yet")
    if is_running(transcript_id):
        raise RefusedError(f"transcript {transcript_id} is being processed")
    return enqueue(transcript_id, recording.bucket_name, recording.track_keys or [])


def is_running(transcript_id: str) -> bool:
    """Whether a worker that answers within a second has this transcript in hand."""
    inspect = app.control.inspect(timeout=INSPECT_TIMEOUT_S)
    listed = [task for tasks in (inspect.active() or {}).values() for task in tasks]
    listed += [t["request"] for tasks in (inspect.scheduled() or {}).values() for t in tasks]
    return any(
        task["name"] == PIPELINE_TASK and task["kwargs"].get("transcript_id") == transcript_id
        for task in listed
    )


def rows_of(configured: Settings) -> Rows:
    """The primary's rows; raises InputError when no database is configured."""
    if not configured.reflector.database_url:
        hint = "set it in migrate.toml, or run migrate attach"
        raise InputError("reflector.database_url is not set", hint=hint)
    return Rows.at(configured.reflector.database_url)

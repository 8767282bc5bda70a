"""The candidate's own world: inputs copied in, nothing of the primary's within reach.

Each run has places of its own (pipeline/places.py). Tracks keep their keys and rows
their ids in them, so both sides can be compared key by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from reflector_migrate.errors import (
    ConfigurationError,
    InputError,
    TransientStepError,
    UnreadableError,
)
from reflector_migrate.harness import Harness
from reflector_migrate.model import UNREADABLE
from reflector_migrate.pipeline.namespace_guard import shared_on_servers
from reflector_migrate.pipeline.places import candidate_url, place_of_run
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.store.clock import now

MADE_FOR_THIS_RUN = timedelta(minutes=2)  # from the row's making to its task's start
NOT_YET = timedelta(seconds=30)  # by our clock, from the claim until `processing` must be seen
CLEAN: dict[str, Any] = {
    "status": "idle", "events": [], "topics": [], "participants": [], "webvtt": None,
}  # fmt: skip
"""What every run resets as it begins."""

WRITTEN = {
    "short_summary": ("FINAL_SHORT_SUMMARY", None),
    "long_summary": ("FINAL_LONG_SUMMARY", None),
    "duration": ("DURATION", 0.0),
}
"""A column that a run replaces -> the event that says that it did, and what a new row has."""

AFTER_END = ("zulip_message_id", "audio_deleted")
"""Columns that a run's chain writes once its transcript has ended."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a candidate run starts from."""

    recording_id: str
    transcript_id: str
    room_id: str | None
    room_name: str
    track_keys: tuple[str, ...]
    rows: dict[str, list[dict[str, Any]]]


def require_separate(settings: Settings) -> None:
    """Raise ConfigurationError if any place of the candidate is also the primary's.

    The servers are asked who they are: ServerUnreachableError when one does not answer.
    """
    if not settings.candidate.database_url:
        raise ConfigurationError(
            "setting candidate.database_url must name a separate database for the candidate",
            hint="it is not set",
        )
    if shared := shared_on_servers(settings):
        raise ConfigurationError(
            f"settings {shared[0]}",
            hint=f"{shared[0].ours} must name a place that Reflector does not use",
        )


def take_snapshot(
    harness: Harness,
    announcement: Announcement,
    taken: Snapshot,
    run_id: str,
    known_for: timedelta = timedelta(0),
) -> dict[str, Any]:
    """Copy a recording's rows and tracks into the namespace of one run of the candidate's.

    The transcript's columns as they stood before the run, which its copy has as well.
    Raises TransientStepError while the primary may not have begun yet (we know of its run
    `known_for` so long), and TerminalStepError when a track is already gone.
    """
    require_separate(harness.settings)
    row = taken.rows["transcript"][0]
    is_first = _is_first_run(announcement, row)
    _require_begun(announcement, row, known_for, is_first=is_first)
    prior = state_before(row, is_first=is_first)
    _copy_tracks(harness, announcement.bucket_name, _all_keys(taken), run_id)
    restore_rows(harness.settings, taken, prior, run_id)
    return prior


def state_before(row: Mapping[str, Any], *, is_first: bool) -> dict[str, Any]:
    """The columns as they stood before a run, derived from the row during it or after it.

    Raises UnreadableError where its events cannot be read.

    A run's own events say what it wrote; all else still stands. The title is only written
    where there was none: another than the one that FINAL_TITLE made was there before, or a
    person wrote it since, and either way it stays. `is_first`: no run was before this one.
    """
    events = row.get("events") or []
    if not isinstance(events, list) or not all(map(_is_event, events)):
        raise UnreadableError(f"{UNREADABLE}the primary's row: events: not a list of events")
    told = {event["event"]: event.get("data") or {} for event in events}
    before = dict(CLEAN)
    made = told.get("FINAL_TITLE", {}).get("title")
    is_own = made is not None and made == row.get("title")
    before["title"] = None if is_own and is_first else row.get("title")
    for column, (event, new) in WRITTEN.items():
        before[column] = new if event in told else row.get(column)
    has_chain = row["status"] == "ended" and is_first
    return before | {name: None if has_chain else row.get(name) for name in AFTER_END}


def _is_event(event: object) -> bool:
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return False
    return isinstance(event.get("data") or {}, dict)


def _is_first_run(announcement: Announcement, row: Mapping[str, Any]) -> bool:
    """By its age; of an older row by the task that began it: a reprocess is its own root."""
    began = announcement.published_at or now()
    if _moment(row["created_at"]) > began - MADE_FOR_THIS_RUN:
        return True
    return announcement.root_id not in (None, announcement.task_id)


def _require_begun(
    announcement: Announcement, row: Mapping[str, Any], known_for: timedelta, *, is_first: bool
) -> None:
    """Raise TransientStepError while the row may still be that of the run before.

    The announcement comes before the primary sets `processing`: another status right after it
    is the earlier one.
    """
    is_early = known_for < NOT_YET and not announcement.is_replayed
    if row["status"] != "processing" and is_early and not is_first:
        raise TransientStepError(f"the primary's row is still {row['status']}: not begun yet")


def _moment(value: object) -> datetime:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def read_rows(settings: Settings, transcript_id: str, track_keys: tuple[str, ...]) -> Snapshot:
    """Read, never write, the primary's rows of a transcript."""
    from reflector_migrate.pipeline.rows import Rows, snapshot

    rows = Rows.at(settings.reflector.database_url or "")
    transcript = rows.find_transcript(transcript_id)
    if transcript is None or transcript.recording_id is None:
        raise InputError(f"transcript {transcript_id} is not in the primary's database")
    taken = snapshot(rows, transcript.recording_id)
    room = next(iter(taken.get("room", [])), {})
    return Snapshot(
        recording_id=transcript.recording_id,
        transcript_id=transcript_id,
        room_id=transcript.room_id,
        room_name=str(room.get("name", "")),
        track_keys=track_keys,
        rows=taken,
    )


def _all_keys(snapshot: Snapshot) -> tuple[str, ...]:
    """The tracks to process and those that consent may delete, each once."""
    recorded = [key for row in snapshot.rows["recording"] for key in _keys_of(row)]
    return tuple(dict.fromkeys((*snapshot.track_keys, *recorded)))


def _keys_of(row: Mapping[str, Any]) -> list[str]:
    keys = row.get("track_keys") or []
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise UnreadableError(f"{UNREADABLE}the primary's recording: track_keys: not a list")
    return keys


def _copy_tracks(harness: Harness, bucket_name: str, keys: tuple[str, ...], run_id: str) -> None:
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.services.storage import Storage, address

    mine = place_of_run(harness.settings, run_id).tracks_bucket
    storage = Storage(harness.connections.s3, UsageMeter(), writable=frozenset({mine}))
    for key in keys:
        storage.copy(address(bucket_name, key), address(mine, key))


def restore_rows(
    settings: Settings, snapshot: Snapshot, prior: dict[str, Any], run_id: str
) -> None:
    """Fill a run's own tables with the snapshot, its transcript as it was before the run.

    Raises RefusedError where the candidate's database does not carry our mark.
    """
    from reflector_migrate.pipeline.rows import fill_run_tables

    mine = {"bucket_name": place_of_run(settings, run_id).tracks_bucket}
    moved = {**snapshot.rows, "recording": [{**r, **mine} for r in snapshot.rows["recording"]]}
    fill_run_tables(candidate_url(settings), run_id, moved, **prior)

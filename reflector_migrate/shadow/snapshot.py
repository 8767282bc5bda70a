"""The candidate's own world: inputs copied in, nothing of the primary's within reach.

Each run has places of its own (pipeline/places.py). Tracks keep their keys and rows
their ids in them, so both sides can be compared key by key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from reflector_migrate.errors import ConfigurationError, InputError, TransientStepError
from reflector_migrate.pipeline.namespace_guard import shared_on_servers
from reflector_migrate.pipeline.places import candidate_url, place_of_run
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.store.clock import now

MADE_FOR_THIS_RUN = timedelta(minutes=2)  # from the row's making to its task's start
NOT_YET = timedelta(seconds=30)  # by our clock, from the claim until `processing` must be seen
CLEAN: dict[str, Any] = {"status": "idle", "events": [], "topics": [], "participants": []}
NEW: dict[str, Any] = {
    "title": None, "short_summary": None, "long_summary": None, "duration": 0.0, "webvtt": None,
    "zulip_message_id": None, "audio_deleted": None,
}  # fmt: skip
"""What a run writes, as a new row has it."""


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
            "setting candidate.database_url must name a database of the candidate's own",
            hint="it is not set",
        )
    if shared := shared_on_servers(settings):
        raise ConfigurationError(
            f"settings {shared[0]}",
            hint=f"{shared[0].ours} must name a place that Reflector does not use",
        )


def take_snapshot(
    settings: Settings,
    announcement: Announcement,
    taken: Snapshot,
    run_id: str,
    known_for: timedelta = timedelta(0),
) -> Snapshot:
    """Copy a recording's rows and tracks into the namespace of one run of the candidate's.

    Raises TransientStepError while the primary may not have begun yet (we know of its run
    `known_for` so long), InputError when what stood in the row before can no longer be known,
    and TerminalStepError when a track is already gone.
    """
    require_separate(settings)
    prior = _prior_state(announcement, taken, known_for)
    _copy_tracks(settings, announcement.bucket_name, _all_keys(taken), run_id)
    restore_rows(settings, taken, prior, run_id)
    return taken


def _prior_state(
    announcement: Announcement, taken: Snapshot, known_for: timedelta
) -> dict[str, Any]:
    """The columns to start from, whatever the primary's run has written since it began.

    A transcript made for this very run had none of them. An older one still
    shows them until that run ends: later than that, nobody can say. The announcement comes
    before the primary sets `processing`: another status right after it is the earlier one.
    """
    row = taken.rows["transcript"][0]
    began = announcement.published_at or now()
    if _moment(row["created_at"]) > began - MADE_FOR_THIS_RUN:
        return NEW | CLEAN
    if row["status"] != "processing" and known_for < NOT_YET:
        raise TransientStepError(f"the primary's row is still {row['status']}: not begun yet")
    if row["status"] != "processing":
        raise InputError("dispatched too late: what stood in the row before is gone")
    return CLEAN


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
    recorded = [key for row in snapshot.rows["recording"] for key in row.get("track_keys") or ()]
    return tuple(dict.fromkeys((*snapshot.track_keys, *recorded)))


def _copy_tracks(settings: Settings, bucket_name: str, keys: tuple[str, ...], run_id: str) -> None:
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.services.connections import connections
    from reflector_migrate.pipeline.services.storage import Storage, address

    mine = place_of_run(settings, run_id).tracks_bucket
    storage = Storage(connections(settings).s3, UsageMeter(), writable=frozenset({mine}))
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

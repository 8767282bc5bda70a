"""Which recordings' pipelines began, as a deployment's own rows say; short columns only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from reflector_migrate.pipeline.rows import tables
from reflector_migrate.pipeline.rows.rows import Rows
from reflector_migrate.pipeline.rows.transactions import reading

NOT_BEGUN = ("idle", "uploaded", "recording")


@dataclass(frozen=True, slots=True)
class Begun:
    """A multitrack recording that the pipeline took up, and the room it was made in."""

    recording_id: str
    transcript_id: str
    created_at: datetime
    status: str
    room_name: str


def cam_audio(keys: Any) -> tuple[str, ...] | None:
    """The keys that the pipeline takes of a recording's; None where they are not a list at all."""
    if not isinstance(keys or [], (list, tuple)):
        return None
    return tuple(key for key in keys or () if "cam-audio" in str(key))


def begun_between(rows: Rows, since: datetime, until: datetime) -> tuple[Begun, ...]:
    """Multitrack recordings whose transcript was made in [since, until), oldest first.

    A recording without cam-audio tracks never meets the multitrack pipeline, and a
    transcript that is still idle has not met it yet: neither is here. One whose tracks cannot
    be read may have met it, and is here. Raises
    TransientStepError when the database cannot be read.
    """
    t, r, room = tables.transcript, tables.recording, tables.room
    query = (
        select(t.c.id, t.c.recording_id, t.c.created_at, t.c.status, r.c.track_keys, room.c.name)
        .join(r, r.c.id == t.c.recording_id)
        .outerjoin(room, room.c.id == t.c.room_id)
        .where(t.c.created_at >= since, t.c.created_at < until)
        .where(t.c.status.not_in(NOT_BEGUN), r.c.track_keys.is_not(None))
        .order_by(t.c.created_at)
    )
    with reading(rows.engine) as connection:
        found = connection.execute(query).all()
    return tuple(
        Begun(row.recording_id, row.id, row.created_at, row.status, row.name or "")
        for row in found
        if cam_audio(row.track_keys) != ()
    )

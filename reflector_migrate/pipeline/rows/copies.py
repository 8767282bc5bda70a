"""A recording's rows as one JSON-safe value: taken, put into another database, erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from reflector_migrate.errors import InputError
from reflector_migrate.pipeline.rows import tables
from reflector_migrate.pipeline.rows.mark import Owner, require_mark
from reflector_migrate.pipeline.rows.rows import Rows
from reflector_migrate.pipeline.rows.transactions import reading, write
from reflector_migrate.store.upsert import replace

_PARENTS_FIRST = ("room", "calendar_event", "meeting", "meeting_consent", "recording", "transcript")

_NOT_COPIED = {"ics_url": None, "ics_last_etag": None}
"""Of a room: the address of a private calendar, which no step reads."""


def snapshot(rows: Rows, recording_id: str) -> dict[str, list[dict[str, Any]]]:
    """All rows that belong to a recording, by table; raises InputError if it is unknown."""
    t = tables
    with reading(rows.engine) as connection:
        found = {"recording": _rows(connection, t.recording, t.recording.c.id == recording_id)}
        if not found["recording"]:
            raise InputError(f"recording {recording_id} is not in the database")
        transcripts = t.transcript.c.recording_id == recording_id
        found["transcript"] = _rows(connection, t.transcript, transcripts)
        meetings = _ids(found, "meeting_id")
        found["meeting"] = _rows(connection, t.meeting, t.meeting.c.id.in_(meetings))
        consents = t.meeting_consent.c.meeting_id.in_(meetings)
        found["meeting_consent"] = _rows(connection, t.meeting_consent, consents)
        events = t.calendar_event.c.id.in_(_ids(found, "calendar_event_id"))
        found["calendar_event"] = _rows(connection, t.calendar_event, events)
        rooms = t.room.c.id.in_(_ids(found, "room_id"))
        found["room"] = [r | _NOT_COPIED for r in _rows(connection, t.room, rooms)]
    return found


def restore(
    rows: Rows,
    taken: Mapping[str, Iterable[Mapping[str, Any]]],
    *,
    owner: Owner = "candidate",
    **transcript: Any,
) -> None:
    """Put a snapshot into this database, over what is there; `transcript` columns win.

    Raises RefusedError, and changes nothing, where the database lacks the owner's mark.
    """

    def work(connection: Connection) -> None:
        require_mark(connection, owner)
        put(connection, taken, **transcript)

    write(rows.engine, work)


def put(
    connection: Connection, taken: Mapping[str, Iterable[Mapping[str, Any]]], **transcript: Any
) -> None:
    """Write a snapshot over what is there; `transcript` columns win."""
    for name in _PARENTS_FIRST:
        overrides = transcript if name == "transcript" else {}
        for row in taken.get(name, ()):
            table = tables.metadata.tables[name]
            replace(connection, table, **_with_times(table, {**row, **overrides}))


def wipe(rows: Rows, recording_id: str, owner: Owner = "candidate") -> None:
    """Erase a recording, its transcripts, and the meeting and consents that no other one needs.

    Rooms stay: they hold nothing that was said. Raises RefusedError, and changes
    nothing, where the database lacks the owner's mark.
    """

    def work(connection: Connection) -> None:
        require_mark(connection, owner)
        t = tables
        here = t.recording.c.id == recording_id
        meetings = list(connection.scalars(select(t.recording.c.meeting_id).where(here)))
        connection.execute(delete(t.transcript).where(t.transcript.c.recording_id == recording_id))
        connection.execute(delete(t.recording).where(here))
        needed = select(t.recording.c.meeting_id).where(t.recording.c.meeting_id.is_not(None))
        unneeded = t.meeting.c.id.in_(meetings) & t.meeting.c.id.not_in(needed)
        of_them = select(t.meeting.c.id).where(unneeded)
        connection.execute(
            delete(t.meeting_consent).where(t.meeting_consent.c.meeting_id.in_(of_them))
        )
        connection.execute(delete(t.meeting).where(unneeded))

    write(rows.engine, work)


def _rows(connection: Connection, table: Table, where: ColumnElement[bool]) -> list[dict[str, Any]]:
    query = select(table).where(where).order_by(table.c.id)
    return [_json_safe(row) for row in connection.execute(query).mappings()]


def _ids(found: Mapping[str, list[dict[str, Any]]], column: str) -> list[str]:
    return sorted({r[column] for rows in found.values() for r in rows if r.get(column)})


def _json_safe(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}


def _with_times(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value)
        if isinstance(value, str) and isinstance(table.c[name].type, tables.UtcTime)
        else value
        for name, value in row.items()
        if name in table.c
    }

"""Messages of a run to its listeners, each kept exactly once and in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from reflector_migrate.model import Event
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import in_utc, now
from reflector_migrate.store.tables import events
from reflector_migrate.store.upsert import insert_once


class EventLog:
    """Events by run and key; a key names one state of one thing."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def record(self, run_id: str, key: str, channel: str, message: Mapping[str, Any]) -> bool:
        """True if it was new; False if a retry recorded it before."""
        row = {"run_id": run_id, "key": key, "channel": channel, "message": dict(message)}
        with writing(self._url) as connection:
            return insert_once(connection, events, **row, at=now())

    def of(self, run_id: str, *, after: int = 0) -> tuple[Event, ...]:
        """All messages {event, data} of a run in order; `after` skips that many."""
        query = select(events).where(events.c.run_id == run_id).order_by(events.c.id).offset(after)
        with reading(self._url) as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            Event(
                event=row["message"].get("event", ""),
                data=row["message"].get("data", {}),
                channel=row["channel"],
                at=in_utc(row["at"]),
                stored=False,
            )
            for row in rows
        )

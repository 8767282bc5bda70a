"""When each of beat's tasks last came to its end: without it nobody would miss beat."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import in_utc
from reflector_migrate.store.tables import heartbeats
from reflector_migrate.store.upsert import replace


class Heartbeats:
    """One time for each name: the latest."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def beat(self, name: str, at: datetime) -> None:
        """It has just come to its end."""
        with writing(self._url) as connection:
            replace(connection, heartbeats, name=name, at=at)

    def last(self, name: str) -> datetime | None:
        """When it last did, or None."""
        query = select(heartbeats.c.at).where(heartbeats.c.name == name)
        with reading(self._url) as connection:
            return in_utc(connection.scalar(query))

"""When each of beat's tasks last came to its end, and until when a job is one process's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update

from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import in_utc
from reflector_migrate.store.tables import heartbeats
from reflector_migrate.store.upsert import insert_once, replace


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

    def lease(self, name: str, since: datetime, until: datetime) -> bool:
        """Take or renew it until then; False while another holds it beyond `since`.

        To renew, `since` is the end of the lease that one has.
        """
        taken = update(heartbeats).where(heartbeats.c.name == name, heartbeats.c.at <= since)
        with writing(self._url) as connection:
            if insert_once(connection, heartbeats, name=name, at=until):
                return True
            return connection.execute(taken.values(at=until)).rowcount == 1

    def drop(self, name: str, until: datetime) -> None:
        """Give back the lease that ends then, for a job that is over and never comes again."""
        mine = delete(heartbeats).where(heartbeats.c.name == name, heartbeats.c.at == until)
        with writing(self._url) as connection:
            connection.execute(mine)

    def release(self, name: str, until: datetime, at: datetime) -> None:
        """Give back the lease that ends then, unless another has taken it since."""
        mine = update(heartbeats).where(heartbeats.c.name == name, heartbeats.c.at == until)
        with writing(self._url) as connection:
            connection.execute(mine.values(at=at))

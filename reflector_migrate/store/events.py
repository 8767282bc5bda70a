"""Messages of a run to its listeners, each kept exactly once and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from reflector_migrate.model import Event
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import in_utc, now
from reflector_migrate.store.tables import events
from reflector_migrate.store.upsert import insert_once, one_at_a_time


class News(NamedTuple):
    """A message, where it goes, and the key of the state that it publishes."""

    key: str
    channel: str
    message: Mapping[str, Any]


AGAIN = "progress:again:"
"""How a mark's key begins, after which a run's states are published again; then its number."""


class EventLog:
    """Events by run and key; a key names one state of one thing."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def record(self, run_id: str, key: str, channel: str, message: Mapping[str, Any]) -> bool:
        """True if it was new; False if a retry recorded it before."""
        with writing(self._url) as connection:
            return _insert(connection, run_id, News(key, channel, message))

    def record_next(
        self,
        run_id: str,
        family: str,
        compose: Callable[[tuple[Event, ...]], Iterable[News]],
        tell: Callable[[News], object] = lambda _news: None,
    ) -> None:
        """Store what `compose` makes of the run's messages so far, and `tell` what of it is new.

        Of messages whose key begins with `family`. One process composes and publishes at a time,
        so that no process draws a conclusion from what another is about to change, nor overtakes
        it. A process that dies between publishing and committing publishes again, with the same
        key.
        """
        with writing(self._url) as connection:
            one_at_a_time(connection, f"events/{run_id}")
            for news in compose(_read(connection, run_id, family=family)):
                if _insert(connection, run_id, news):
                    tell(news)

    def times_again(self, run_id: str) -> int:
        """How often the run was retried or run again manually."""
        return len(self.of(run_id, family=AGAIN))

    def last_again(self, run_id: str) -> datetime | None:
        """When it last was; None if never."""
        return max((e.at for e in self.of(run_id, family=AGAIN) if e.at), default=None)

    def of(self, run_id: str, *, after: int = 0, family: str = "") -> tuple[Event, ...]:
        """Messages {event, data} of a run in order; `after` skips that many.

        All of them, or those whose key begins with `family`.
        """
        with reading(self._url) as connection:
            return _read(connection, run_id, after=after, family=family)


def _insert(connection: Connection, run_id: str, news: News) -> bool:
    row = {**news._asdict(), "message": dict(news.message)}
    return insert_once(connection, events, run_id=run_id, **row, at=now())


def _read(
    connection: Connection, run_id: str, *, after: int = 0, family: str = ""
) -> tuple[Event, ...]:
    query = select(events).where(events.c.run_id == run_id).order_by(events.c.id).offset(after)
    if family:
        query = query.where(events.c.key.startswith(family, autoescape=True))
    return tuple(
        Event(
            event=row["message"].get("event", ""),
            data=row["message"].get("data", {}),
            channel=row["channel"],
            at=in_utc(row["at"]),
            stored=False,
        )
        for row in connection.execute(query).mappings()
    )

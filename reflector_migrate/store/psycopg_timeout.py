"""PostgreSQL connections that give up on a server which no longer answers.

A server's own statement_timeout ends nothing when the server is frozen or unreachable,
and a pooler refuses it at the door; so silence is measured on this side.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

SILENCE_S = 8.0
"""Until a statement is given up of which nothing was heard: with the connection that is then
tried (below), less than any response timeout."""

CONNECT: dict[str, Any] = {
    "connect_timeout": 4,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

T = TypeVar("T")
Waiting = Generator[Any, Any, T]


class BoundedConnection(psycopg.Connection[Any]):
    """Closes itself when its server has been silent for too long; `is_unhurried` waits for ever."""

    is_unhurried = False

    def wait(self, gen: Waiting[T], *args: Any, **named: Any) -> T:
        """What `gen` comes to; raises OperationalError when nothing is heard of it."""
        try:
            return super().wait(gen if self.is_unhurried else _heard(gen), *args, **named)
        except SilentError:
            self.close()
            raise


class SilentError(psycopg.OperationalError):
    """Nothing was heard of the server."""


def connect(*args: Any, **named: Any) -> BoundedConnection:
    """As psycopg.connect()."""
    return BoundedConnection.connect(*args, **CONNECT | named)


def _heard(gen: Waiting[T]) -> Waiting[T]:
    """The same, until nothing has been ready for too long; psycopg reports at each interval."""
    last_s = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            is_ready = yield wanted
            if is_ready:
                last_s = time.monotonic()
            elif time.monotonic() - last_s > SILENCE_S:
                raise SilentError(f"no answer within {SILENCE_S:g} s")
            wanted = gen.send(is_ready)
    except StopIteration as done:
        result: T = done.value
        return result

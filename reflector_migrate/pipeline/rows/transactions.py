"""One writer at a time: SQLite by BEGIN IMMEDIATE, PostgreSQL by row locks and a bounded retry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import stamina
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from reflector_migrate.errors import OutageError

AGAIN = stamina.RetryingCaller(attempts=5, timeout=None, wait_initial=0.04, wait_jitter=0)
_COLLISIONS = frozenset({"40001", "40P01"})  # serialisation failure, deadlock

T = TypeVar("T")


def write(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction; again, a few times, when it collides with another's.

    Raises OutageError when the database cannot be reached or stays busy.
    """

    def once() -> T:
        with engine.begin() as connection:
            return work(connection)

    try:
        return AGAIN(_is_collision, once)
    except DBAPIError as error:
        raise _as_step_error(error) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, and never blocks a writer."""
    try:
        connection = engine.connect().execution_options(is_reading=True)
        with connection, connection.begin():
            yield connection
    except DBAPIError as error:
        raise _as_step_error(error) from error


def _is_collision(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _COLLISIONS


def _as_step_error(error: DBAPIError) -> Exception:
    is_passing = error.connection_invalidated or type(error).__name__ == "OperationalError"
    return OutageError(f"database: {error.orig}") if is_passing else error

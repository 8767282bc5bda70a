"""One writer at a time: SQLite by BEGIN IMMEDIATE, PostgreSQL by row locks and a bounded retry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from reflector_migrate.errors import OutageError

ATTEMPTS = 5
_COLLISIONS = frozenset({"40001", "40P01"})  # serialisation failure, deadlock

T = TypeVar("T")


def write(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction; again, a few times, when it collides with another's.

    Raises OutageError when the database cannot be reached or stays busy.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if not _is_collision(error) or attempt == ATTEMPTS:
                raise _as_step_error(error) from error
            time.sleep(0.02 * 2**attempt)
    raise AssertionError("unreachable")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, and never blocks a writer."""
    try:
        connection = engine.connect().execution_options(is_reading=True)
        with connection, connection.begin():
            yield connection
    except DBAPIError as error:
        raise _as_step_error(error) from error


def _is_collision(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in _COLLISIONS


def _as_step_error(error: DBAPIError) -> Exception:
    is_passing = error.connection_invalidated or type(error).__name__ == "OperationalError"
    return OutageError(f"database: {error.orig}") if is_passing else error

"""One engine per process and URL; transactions that serialise writers on SQLite.

SQLite runs in WAL mode and every writing transaction starts IMMEDIATE, so two
processes wait for each other instead of failing midway.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, ProgrammingError

from reflector_migrate.errors import ConfigurationError, MigrateError, ServerUnreachableError

BUSY_TIMEOUT_S = 30
NO_TABLES = "attached: migrate register --with-store; to try it out: migrate sandbox up"


def engine_for(url: str) -> Engine:
    """The engine of this process for `url`; never one inherited through a fork."""
    return _engine(os.getpid(), url)


@lru_cache(maxsize=64)
def _engine(_pid: int, url: str) -> Engine:
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(parsed, pool_pre_ping=True, pool_timeout=10)
        if parsed.drivername == "postgresql+psycopg":
            event.listen(engine, "do_connect", _on_psycopg_connect)
        return engine
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        hint = "as sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        said = "a setting that names a database is no database URL"  # it may hold a password
        raise ConfigurationError(said, hint=hint) from None


def _on_psycopg_connect(_dialect: object, _record: object, args: Any, named: Any) -> Any:
    from reflector_migrate.store.psycopg_timeout import connect  # its driver, for those who have it

    return connect(*args, **named)


def _on_sqlite_connect(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # we say BEGIN ourselves, below
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _on_sqlite_begin(connection: Connection) -> None:
    is_reading = connection.get_execution_options().get("is_reading", False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


@contextmanager
def writing(url: str) -> Iterator[Connection]:
    """A transaction that commits at the end of the block or leaves nothing behind."""
    with _reachable(url), engine_for(url).begin() as connection:
        yield connection


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """A transaction that only reads, and never blocks a writer."""
    with _reachable(url):
        connection = engine_for(url).connect().execution_options(is_reading=True)
        with connection, connection.begin():
            yield connection


@contextmanager
def unhurried(connection: Connection) -> Iterator[None]:
    """Statements that may be silent for as long as they take: a change of big tables, say."""
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.driver != "psycopg":
        yield
        return
    driver.is_unhurried = True
    try:
        yield
    finally:
        driver.is_unhurried = False


@contextmanager
def _reachable(url: str) -> Iterator[None]:
    try:
        yield
    except (OperationalError, ProgrammingError) as error:
        where = make_url(url).render_as_string(hide_password=True)
        if _lacks_tables(error):
            raise MigrateError(f"database {where} has no tables of ours", hint=NO_TABLES) from error
        if isinstance(error, ProgrammingError):
            raise
        hint = "`migrate doctor` tells of each server; `migrate config show`, where they should be"
        raise ServerUnreachableError(f"database {where}: {error.orig}", hint=hint) from error


def _lacks_tables(error: DBAPIError) -> bool:
    is_undefined = getattr(error.orig, "sqlstate", None) == "42P01"  # PostgreSQL's undefined_table
    return is_undefined or "no such table" in str(error.orig)

"""One engine per process and URL; transactions that serialise writers on SQLite.

SQLite runs in WAL mode and every writing transaction starts IMMEDIATE, so two
processes wait for each other instead of failing midway.
"""

from __future__ import annotations

import os
import re
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
_RUN = "run"  # in the query of a URL: the tables of this run
_A_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,56}")
NO_TABLES = "attached: migrate register --with-store; to try it out: migrate sandbox up"


def engine_for(url: str) -> Engine:
    """The engine of this process for `url`; never one inherited through a fork.

    The tables of one run on PostgreSQL share the pool of their database.
    """
    return _engine(os.getpid(), url)


def url_of_run(url: str, run_id: str) -> str:
    """The URL of one run's own tables in the database at `url`."""
    schema_of(run_id)  # refuses what is no plain name
    return _parsed(url).update_query_dict({_RUN: run_id}).render_as_string(hide_password=False)


def schema_of(run_id: str) -> str:
    """The PostgreSQL schema that holds one run's tables."""
    if not _A_RUN_ID.fullmatch(run_id):
        said = "a run id must be 1 to 56 letters, digits, hyphens or underscores"
        raise ConfigurationError(f"{run_id[:80]!r}: {said}")
    return f"run_{run_id}"


def run_file(url: str, run_id: str) -> Path:
    """The SQLite file that holds one run's tables, in a folder beside the database at `url`."""
    name = _parsed(url).database or ""
    if not name or name.startswith(("file:", ":memory:")):
        hint = "as sqlite:///FILE, so that each run can have a file beside it"
        raise ConfigurationError("candidate.database_url must name a file", hint=hint)
    return Path(name).with_suffix(".runs") / f"{schema_of(run_id)}.db"


@lru_cache(maxsize=64)
def _engine(pid: int, url: str) -> Engine:
    parsed = _parsed(url)
    run_id = parsed.query.get(_RUN)
    if run_id is not None:
        whole = parsed.difference_update_query([_RUN]).render_as_string(hide_password=False)
        if parsed.get_backend_name() == "sqlite":
            return _engine(pid, f"sqlite:///{run_file(whole, str(run_id))}")
        return _engine(pid, whole).execution_options(run_schema=schema_of(str(run_id)))
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(parsed, pool_pre_ping=True, pool_timeout=10, hide_parameters=True)
        event.listen(engine, "begin", _on_server_begin)
        if parsed.drivername == "postgresql+psycopg":
            event.listen(engine, "do_connect", _on_psycopg_connect)
        return engine
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S}, hide_parameters=True)
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        hint = "as sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        said = "a setting that names a database is not a database URL"  # it may hold a password
        raise ConfigurationError(said, hint=hint) from None


def _on_psycopg_connect(_dialect: object, _record: object, args: Any, named: Any) -> Any:
    from reflector_migrate.store.psycopg_timeout import connect  # its driver, for those who have it

    # a statement that was prepared for one run's schema has other types in the next one's
    return connect(*args, **{**named, "prepare_threshold": None})


def _on_sqlite_connect(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # we say BEGIN ourselves, below
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _on_server_begin(connection: Connection) -> None:
    """Name a run's tables for this transaction only: a pooled connection keeps nothing of it."""
    schema = connection.get_execution_options().get("run_schema")
    if schema is not None:
        connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')


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
        _require_file(url)
        connection = engine_for(url).connect().execution_options(is_reading=True)
        with connection, connection.begin():
            yield connection


def _require_file(url: str) -> None:
    """MigrateError for a SQLite file that does not exist: looking must not create it."""
    parsed = _parsed(url)
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or _RUN in parsed.query:
        return
    if name and name != ":memory:" and not name.startswith("file:") and not Path(name).exists():
        raise _uninitialised(url)


def _uninitialised(url: str) -> MigrateError:
    where = make_url(url).render_as_string(hide_password=True)
    return MigrateError(f"the store is not initialised: {where}", hint=NO_TABLES)


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
            raise _uninitialised(url) from error
        if isinstance(error, ProgrammingError):
            raise
        hint = "migrate doctor checks each server; migrate config show has their addresses"
        raise ServerUnreachableError(f"database {where}: {error.orig}", hint=hint) from error


def _lacks_tables(error: DBAPIError) -> bool:
    is_undefined = getattr(error.orig, "sqlstate", None) == "42P01"  # PostgreSQL's undefined_table
    return is_undefined or "no such table" in str(error.orig)

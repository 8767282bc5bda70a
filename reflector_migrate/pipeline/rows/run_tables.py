"""The tables of one run: made for it, filled from a snapshot, dropped with it.

A schema on PostgreSQL and a file on SQLite, so that two runs of one recording never meet and
no name that is unique in the primary's database is in another run's way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateSchema, DropSchema

from reflector_migrate.pipeline.rows import tables
from reflector_migrate.pipeline.rows.copies import put
from reflector_migrate.pipeline.rows.mark import require_mark, write_mark
from reflector_migrate.pipeline.rows.rows import Rows
from reflector_migrate.pipeline.rows.transactions import reading, write
from reflector_migrate.store.base import engine_for, run_file, schema_of, url_of_run


def fill_run_tables(
    url: str, run_id: str, taken: Mapping[str, Iterable[Mapping[str, Any]]], **transcript: Any
) -> Rows:
    """A run's own rows, in place of any it had: a snapshot, in which `transcript` columns win.

    Raises RefusedError, and changes nothing, where the database at `url` lacks our mark.
    """
    own = url_of_run(url, run_id)
    _make(url, own, run_id)
    rows = Rows.at(own)

    def work(connection: Connection) -> None:
        require_mark(connection)
        for table in reversed(tables.metadata.sorted_tables):
            connection.execute(delete(table))
        put(connection, taken, **transcript)

    write(rows.engine, work)
    return rows


def find_run_tables(url: str, run_id: str) -> Rows | None:
    """A run's own rows; None where it has no tables, as before its snapshot."""
    own = url_of_run(url, run_id)
    if make_url(url).get_backend_name() == "sqlite" and not run_file(url, run_id).is_file():
        return None
    engine = engine_for(own)
    schema = schema_of(run_id) if engine.dialect.name == "postgresql" else None
    is_there = inspect(engine).has_table(tables.transcript.name, schema=schema)
    return Rows.at(own) if is_there else None


def drop_run_tables(url: str, run_id: str) -> None:
    """Erase a run's rows with their tables; what is gone already stays gone.

    Raises RefusedError, and changes nothing, where the database at `url` lacks our mark.
    """
    if make_url(url).get_backend_name() == "sqlite":
        with reading(engine_for(url)) as connection:
            require_mark(connection)
        engine_for(url_of_run(url, run_id)).dispose()
        path = run_file(url, run_id)
        for file in (path, *(Path(f"{path}{suffix}") for suffix in ("-wal", "-shm"))):
            file.unlink(missing_ok=True)
        return

    def work(connection: Connection) -> None:
        require_mark(connection)
        connection.execute(DropSchema(schema_of(run_id), cascade=True, if_exists=True))

    write(engine_for(url), work)


def _make(url: str, own: str, run_id: str) -> None:
    """The run's schema or file and the tables in it, marked as ours."""

    def work(connection: Connection) -> None:
        require_mark(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(CreateSchema(schema_of(run_id), if_not_exists=True))

    write(engine_for(url), work)
    write_mark(own)
    tables.create_all(own)

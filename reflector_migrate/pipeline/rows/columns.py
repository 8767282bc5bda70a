"""Columns that a newer Reflector has and that we do not know: named, never compared."""

from __future__ import annotations

import os
from functools import lru_cache

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from reflector_migrate.errors import OutageError
from reflector_migrate.pipeline.rows import tables
from reflector_migrate.store.base import engine_for

LOOKED_AT = ("transcript", "recording", "meeting", "room")
GENERATED = frozenset({"search_vector_en"})


def unknown_columns(url: str) -> tuple[str, ...]:
    """`table.column` of each column that no comparison reads; looked up once per process.

    Raises OutageError when the database does not answer.
    """
    return _unknown(os.getpid(), url)


@lru_cache(maxsize=8)
def _unknown(_pid: int, url: str) -> tuple[str, ...]:
    try:
        known = inspect(engine_for(url))
        return tuple(
            f"{name}.{column['name']}"
            for name in LOOKED_AT
            if known.has_table(name)
            for column in known.get_columns(name)
            if column["name"] not in {*tables.metadata.tables[name].columns.keys(), *GENERATED}
        )
    except DBAPIError as error:
        raise OutageError(f"database: {type(error.orig).__name__}") from error

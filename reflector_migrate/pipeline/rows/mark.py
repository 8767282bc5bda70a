"""The mark of our own databases: rows are erased and replaced nowhere else.

`migrate register --with-store` writes it, and never into a database that holds
Reflector's rows without it.
"""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Column, Connection, MetaData, String, Table, exists, inspect, select

from reflector_migrate.errors import RefusedError
from reflector_migrate.pipeline.rows import tables
from reflector_migrate.store.base import writing
from reflector_migrate.store.upsert import insert_once

Owner = Literal["candidate", "stand-in"]

mark = Table("reflector_migrate_mark", MetaData(), Column("owner", String(32), primary_key=True))


def write_mark(url: str, owner: Owner = "candidate") -> None:
    """Mark an empty database as ours; a marked one stays as it is.

    Raises RefusedError when it holds rows without our mark, or the mark of another owner.
    """
    with writing(url) as connection:
        found = _owners(connection)
        if not found and (held := _first_with_rows(connection)):
            raise RefusedError(
                f"{_name(connection)} holds rows in table {held} and does not carry our mark",
                hint=f"name an empty database for the {owner}; no row was changed",
            )
        if found - {owner}:
            raise RefusedError(
                f"{_name(connection)} is marked as the {', '.join(sorted(found))}'s",
                hint=f"name another database for the {owner}",
            )
        mark.create(connection, checkfirst=True)
        insert_once(connection, mark, owner=owner)


def require_mark(connection: Connection, owner: Owner = "candidate") -> None:
    """Raise RefusedError unless this database is marked as the owner's; in this transaction."""
    if _owners(connection) != {owner}:
        raise RefusedError(
            f"{_name(connection)} does not carry the mark of the {owner}'s database",
            hint="migrate register --with-store marks an empty one; no row was changed",
        )


def _owners(connection: Connection) -> set[str]:
    if not inspect(connection).has_table(mark.name):
        return set()
    return set(connection.scalars(select(mark.c.owner)))


def _first_with_rows(connection: Connection) -> str | None:
    known = inspect(connection)
    for table in tables.metadata.sorted_tables:
        if known.has_table(table.name) and connection.scalar(select(exists(select(table.c.id)))):
            return table.name
    return None


def _name(connection: Connection) -> str:
    return f"database {connection.engine.url.database}"

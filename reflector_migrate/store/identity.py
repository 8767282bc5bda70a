"""Whether two URLs reach one database: the servers are asked, since texts can differ.

Two logins, another name of the host, a port that is written or not, a link to a file: each
makes another text of the same database.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, func, select, text
from sqlalchemy.engine import make_url

from reflector_migrate.store.base import reading

_SERVER = text("select system_identifier from pg_control_system()")
_MAY_ASK = text("select has_function_privilege('pg_control_system()', 'execute')")
_DATABASE = text("select oid from pg_database where datname = current_database()")


def are_one_database(first: str, second: str) -> bool:
    """True if a row written by one URL can be read by the other.

    Raises ServerUnreachableError when a server does not answer: then nothing is known.
    """
    if first == second:
        return True
    one, other = make_url(first), make_url(second)
    if one.get_backend_name() != other.get_backend_name():
        return False
    if one.get_backend_name() == "sqlite":
        return is_same_path(_file(one), _file(other))
    identities = _identity(first), _identity(second)
    if None in identities:
        return _lock_meets(first, second)
    return identities[0] == identities[1]


def is_same_path(one: Path | None, other: Path | None) -> bool:
    """True for one file or folder under two spellings, links of both kinds included."""
    if one is None or other is None:
        return False
    if one.resolve() == other.resolve():
        return True
    return one.exists() and other.exists() and one.samefile(other)


def _file(url: URL) -> Path | None:
    """The file of a SQLite URL; None for a database in memory, which no other process reaches."""
    name = url.database or ":memory:"
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    return None if name == ":memory:" else Path(name)


def _identity(url: str) -> tuple[int, int] | None:
    """The server's own identifier and the database's in it; None if this login may not ask.

    A standby has the identifier of the server that it follows.
    """
    with reading(url) as connection:
        if not connection.scalar(_MAY_ASK):
            return None
        return connection.execute(_SERVER).scalar_one(), connection.execute(_DATABASE).scalar_one()


def _lock_meets(first: str, second: str) -> bool:
    """Whether a lock taken by one login is held against the other: such locks are a database's."""
    key = secrets.randbits(62)
    with reading(first) as one, reading(second) as other:
        one.execute(select(func.pg_advisory_xact_lock(key)))
        return not other.scalar(select(func.pg_try_advisory_xact_lock(key)))

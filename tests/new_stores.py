"""Stores of the newest schema for tests, quickly: SQLite copies one that was upgraded once."""

from __future__ import annotations

import sqlite3
import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import make_url

from reflector_migrate.store.migrate import upgrade


def new_store(url: str) -> None:
    """Make an empty store of the newest schema there."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite" and where.database:
        path = Path(where.database)
        if not path.exists():
            path.touch(0o600)
            path.write_bytes(_newest())
            return
    upgrade(url)


@cache
def _newest() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        upgrade(f"sqlite:///{path}")
        with sqlite3.connect(path) as connection:
            return connection.serialize()

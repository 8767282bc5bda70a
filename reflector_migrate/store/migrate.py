"""Brings a store to the newest schema, and says which one it has."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from reflector_migrate.store.base import reading, unhurried, writing
from reflector_migrate.store.gists import fill_gists


def upgrade(url: str) -> str:
    """Apply what is missing, in one transaction, then make missing gists; returns the revision."""
    with writing(url) as connection, unhurried(connection):
        command.upgrade(_config(connection), "head")
    fill_gists(url)
    return head()


def head() -> str:
    """The newest revision this code knows."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise RuntimeError("no migration is packaged: the installation is broken")
    return found


def current(url: str) -> str | None:
    """The revision a store has, None where it was never set up."""
    with reading(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if connection is not None:
        config.attributes["connection"] = connection
    return config

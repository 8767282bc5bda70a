"""Where a process gets its settings: loaded once, at its entrance, without any store.

A command that only reads settings needs no database, and does not wait for one to be imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reflector_migrate.settings import Settings, load_settings


def loaded_settings(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    unread: list[str] | None = None,
) -> Settings:
    """The settings in force, for the entrance of a process: see `load_settings`."""
    return load_settings(config, environ=environ, unread=unread)

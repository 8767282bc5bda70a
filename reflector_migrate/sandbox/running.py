"""Whether a sandbox runs in a folder: asked by every command before it knows its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reflector_migrate.sandbox.config import read_config
from reflector_migrate.sandbox.process import is_alive, listens
from reflector_migrate.sandbox.process_table import ProcessRecord, Records
from reflector_migrate.sandbox.servers.base import Folders, Server
from reflector_migrate.settings import Settings


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One line of `status`: health is `healthy`, `unhealthy` or `stopped`."""

    name: str
    pid: int
    port: int | None
    health: str
    log: str


def sandbox_folder(settings: Settings) -> Path:
    """Where the sandbox lives: the setting, else ./.sandbox."""
    return (settings.sandbox.dir or Path(".sandbox")).resolve()


def load_running(folder: Path) -> Settings | None:
    """The settings of the sandbox that runs in `folder`; None unless all of it is alive."""
    known = Records.of(folder).read()
    if not known or not all(is_alive(record) for record in known):
        return None
    return read_config(Folders(folder)) if Folders(folder).config.is_file() else None


def missing_parts(folder: Path) -> tuple[str, ...]:
    """What has died of a sandbox of which some still runs; empty when all or nothing does."""
    known = Records.of(folder).read()
    dead = tuple(record.name for record in known if not is_alive(record))
    return dead if len(dead) < len(known) else ()


def status_of(record: ProcessRecord, server: Callable[[], Server]) -> ProcessStatus:
    """Its health as asked from it just now; `server` is made only for one that lives."""
    health = "stopped"
    if is_alive(record):
        asked = server()
        is_well = listens(record) and (asked.is_healthy or asked.is_ready)()
        health = "healthy" if is_well else "unhealthy"
    return ProcessStatus(record.name, record.pid, record.port, health, record.log)

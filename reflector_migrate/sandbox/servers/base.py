"""What the sandbox must know of a server to start it and to know that it is ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reflector_migrate.sandbox.probe import Probe


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the servers of one sandbox keep things."""

    root: Path

    def data(self, name: str) -> Path:
        """The data folder of one server, made if missing."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.root / "logs" / f"{name}.log"

    def ready_file(self, name: str) -> Path:
        """The file that a process writes when it is ready, if it is one that does."""
        return self.root / "ready" / name

    @property
    def config(self) -> Path:
        """The migrate.toml that every process of this sandbox reads."""
        return self.root / "migrate.toml"


@dataclass(frozen=True, slots=True)
class Server:
    """A process to start: `needs` names those that must be ready first.

    `is_ready` is asked while it starts, `is_healthy` (where it differs) from then on.
    """

    name: str
    argv: tuple[str, ...]
    cwd: Path
    is_ready: Probe
    port: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    is_worker: bool = False
    user: str | None = None
    is_healthy: Probe | None = None

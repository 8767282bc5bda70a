"""Which processes the sandbox has started: one file, written aside and renamed.

A process is known by its pid together with its start time, so a pid that the
system gave to another process is never taken for ours.
"""

from __future__ import annotations

import fcntl
import json
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reflector_migrate.errors import InputError
from reflector_migrate.store.atomic_write import PRIVATE, write_aside

VERSION = 1
MARK = "MIGRATE_SANDBOX_MARK"  # in the environment of everything a sandbox starts


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One started process; `started` is psutil's create time in seconds since the epoch."""

    name: str
    pid: int
    started: float
    argv: tuple[str, ...]
    log: str
    port: int | None = None
    is_worker: bool = False


@dataclass(frozen=True, slots=True)
class Records:
    """The file `processes.json` of one sandbox folder."""

    path: Path

    @classmethod
    def of(cls, folder: Path) -> Records:
        """The records of the sandbox in `folder`."""
        return cls(folder / "processes.json")

    def read(self) -> tuple[ProcessRecord, ...]:
        """Everything recorded and not yet removed; empty when there is no file."""
        return tuple(_record(row) for row in self._load()["processes"])

    def find(self, name: str) -> ProcessRecord | None:
        """The record called `name`, if there is one."""
        return next((record for record in self.read() if record.name == name), None)

    def mark(self) -> str:
        """A random word of this sandbox, made once; in its processes' environment."""
        with self._locked():
            content = self._load()
            if not self.path.exists():
                self._write(content)
            return str(content["mark"])

    def add(self, record: ProcessRecord) -> None:
        """Record a process, replacing an older one of that name; durable on return."""
        self._change(lambda known: [*_without(known, record.name), asdict(record)])

    def remove(self, gone: Sequence[ProcessRecord]) -> None:
        """Forget these processes; others recorded meanwhile stay."""
        ended = {(record.pid, record.started) for record in gone}
        self._change(lambda known: [r for r in known if (r["pid"], r["started"]) not in ended])

    def _change(self, change: Any) -> None:
        with self._locked():
            content = self._load()
            self._write({**content, "processes": change(content["processes"])})

    def _load(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"version": VERSION, "mark": secrets.token_hex(8), "processes": []}
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path} cannot be read: {error}") from None
        if content.get("version") != VERSION:
            found = content.get("version")
            raise InputError(f"{self.path} has version {found}; this build knows {VERSION}")
        return content

    def _write(self, content: dict[str, Any]) -> None:
        write_aside(self.path, json.dumps(content, indent=1) + "\n", PRIVATE)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path.with_suffix(".lock")):
            yield


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the system drops it if we die."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def redact(argv: Sequence[str]) -> tuple[str, ...]:
    """The command line without passwords in URLs and values of secret-looking options."""
    hidden = (re.sub(r"://[^@/\s]+@", "://***@", word) for word in argv)
    secret = re.compile(r"(?i)((?:password|secret|token|key)[\w.-]*=).+")
    return tuple(secret.sub(r"\1***", word) for word in hidden)


def _record(row: dict[str, Any]) -> ProcessRecord:
    return ProcessRecord(**{**row, "argv": tuple(row["argv"])})


def _without(known: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [row for row in known if row["name"] != name]

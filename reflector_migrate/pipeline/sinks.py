"""What effects go through: the listeners' bus, a namespace's media, the memory of what is done."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reflector_migrate.errors import TerminalStepError
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.services.events import Bus, messages
from reflector_migrate.pipeline.services.storage import Storage, Stored, address
from reflector_migrate.store.artifacts import Artifacts
from reflector_migrate.store.events import EventLog


@dataclass(frozen=True, slots=True)
class Listeners:
    """The WebSocket bus of a namespace. With a log each state is published once, and stored.

    A status is published again when a run is retried or run again.
    """

    run: Run
    bus: Bus
    prefix: str
    log: EventLog | None

    def tell(self, user_id: str | None, event: str, data: Mapping[str, Any], key: str) -> None:
        """Publish to the transcript's channel, and to its owner's where the event is theirs too."""
        if self.log is not None and event == "STATUS":
            key = f"{key}:{self.log.times_again(self.run.run_id)}"
        for channel, message in messages(self.run.transcript_id, user_id, event, data):
            name = self.prefix + channel
            told = f"{channel.partition(':')[0]}:{key}"
            if self.log is None or self.log.record(self.run.run_id, told, name, message):
                self.bus.publish(name, message)


@dataclass(frozen=True, slots=True)
class Media:
    """The namespace's own bucket and folder."""

    storage: Storage
    bucket: str
    data_dir: Path

    def put(self, key: str, path: Path) -> Stored:
        """Store a file."""
        return self.storage.put_file(address(self.bucket, key), path)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self.storage.delete(address(self.bucket, key))

    def unlink(self, path: Path) -> None:
        """Delete a file, if it is there; TerminalStepError outside our own places."""
        self._refuse_outside(path)
        path.unlink(missing_ok=True)

    def discard(self, folder: Path) -> None:
        """Delete a folder with all in it, if it is there; TerminalStepError outside our places."""
        self._refuse_outside(folder)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def _refuse_outside(self, path: Path) -> None:
        if not path.resolve().is_relative_to(self.data_dir.resolve()):
            said = f"not deleted: {path} is outside the namespace's folder {self.data_dir}"
            raise TerminalStepError(said)


@dataclass(frozen=True, slots=True)
class Once:
    """What this run has done already, so that a repeated step does not do it again."""

    run_id: str
    artifacts: Artifacts
    log: EventLog

    @property
    def go(self) -> int:
        """How often the run was retried or run again manually."""
        return self.log.times_again(self.run_id)

    def done(self, kind: str, digest: str) -> dict[str, Any] | None:
        """The result of having done it with this content, if that happened."""
        stored = self._kept(kind, "done")
        return stored if stored and stored["digest"] == digest else None

    def last(self, kind: str) -> dict[str, Any] | None:
        """What was said of it when it was last begun, else done; None: it never happened."""
        return self._kept(kind, "begun") or self._kept(kind, "done")

    def is_begun(self, kind: str) -> bool:
        """Whether it may have happened: it was begun, and its end is unknown."""
        return self._kept(kind, "begun") is not None

    def begin(self, kind: str, **about: Any) -> None:
        """Say so before doing it."""
        self.artifacts.put(self.run_id, "effects", f"{kind}/begun", {"begun": True, **about})

    def finish(self, kind: str, digest: str, **result: Any) -> None:
        """Keep how it ended."""
        self.artifacts.put(self.run_id, "effects", f"{kind}/done", {"digest": digest, **result})

    def _kept(self, kind: str, what: str) -> dict[str, Any] | None:
        found = self.artifacts.find(self.run_id, "effects", f"{kind}/{what}")
        return self.artifacts.get(found.ref) if found else None

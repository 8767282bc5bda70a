"""The whole sandbox: real servers and workers on free local ports, and their end.

`with Sandbox(settings, folder) as sandbox:` is the foreground form: however its
owner ends, nothing is left. `Sandbox(..., detached=True).up()` outlives its
owner until `down` is called.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reflector_migrate.errors import InputError, MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.defects.registry import describe
from reflector_migrate.sandbox import prepare
from reflector_migrate.sandbox.config import (
    PORTS,
    change_config,
    forget,
    read_config,
    write_config,
)
from reflector_migrate.sandbox.download import ensure_jar, pinned
from reflector_migrate.sandbox.interrupt import interruptible, uninterrupted
from reflector_migrate.sandbox.jvm_cache import boot_words
from reflector_migrate.sandbox.layout import ALL, ROUTES, servers
from reflector_migrate.sandbox.ports import free_ports
from reflector_migrate.sandbox.process import is_alive, send
from reflector_migrate.sandbox.process_table import Records, locked
from reflector_migrate.sandbox.reaper import Reaper
from reflector_migrate.sandbox.running import (
    ProcessStatus,
    load_running,
    sandbox_folder,
    status_of,
)
from reflector_migrate.sandbox.servers.base import Folders, Server
from reflector_migrate.sandbox.starter import PortTakenError, Say, Starter
from reflector_migrate.sandbox.teardown import stop_everything
from reflector_migrate.settings import Settings

_log = logging.getLogger(__name__)
_PORT_TRIES = 3
_WORKING = frozenset({"legacy", "workers", "shadow", *ROUTES})  # these need tables and our store


class Sandbox:
    """One sandbox in one folder; `.settings` is what every process of it reads."""

    def __init__(
        self,
        settings: Settings,
        folder: Path | None = None,
        *,
        conductor_version: str | None = None,
        shadow: bool = False,
        defects: Sequence[str] = (),
        with_: Sequence[str] = ALL,
        time_scale: float | None = None,
        detached: bool = False,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
        say: Say | None = None,
    ) -> None:
        """Describe the sandbox; nothing happens before `up`.

        `changes` are settings by section that win over all others (say, database
        URLs); `say` receives one line of progress at a time.
        """
        unknown = set(with_) - {*ALL, *ROUTES}
        if unknown:
            raise InputError(f"unknown part of the sandbox: {', '.join(sorted(unknown))}")
        self.folders = Folders((folder or sandbox_folder(settings)).resolve())
        self._base = settings
        self._parts = tuple(name for name in (*ALL, *ROUTES) if name in with_)
        self._version = conductor_version or settings.conductor.version
        self._detached = detached
        self._say: Say = say or _log.info
        self._changes = _merge(
            {
                "conductor": {
                    "version": self._version,
                    "time_scale": time_scale or settings.conductor.time_scale,
                },
                "shadow": {"enabled": shadow},
                "workers": {"defects": list(defects)},
                "sandbox": {"routes": bool({*ROUTES} & {*with_})},
            },
            changes or {},
        )
        self._settings: Settings | None = None
        self._reaper: Reaper | None = None
        self._mark: str | None = None
        self._signals = ExitStack()
        self._is_ours = False

    @property
    def settings(self) -> Settings:
        """The settings every process of the sandbox reads; only once it is up."""
        if self._settings is None:
            raise MigrateError("the sandbox is not up", hint="migrate sandbox up")
        return self._settings

    @property
    def harness(self) -> Harness:
        """Over those settings, for the process that brought the sandbox up."""
        return Harness.of(self.settings)

    def up(self) -> bool:
        """Start everything and wait until it is ready; False when it was up already.

        On any failure, Ctrl-C or SIGTERM everything started so far is stopped.
        """
        self.folders.root.mkdir(parents=True, exist_ok=True)
        with locked(self.folders.root / "up.lock"):
            self._settings = load_running(self.folders.root)
            if self._settings is not None:
                return False
            self._is_ours = True
            try:
                with interruptible():
                    self._start()
            except BaseException:
                self.down()
                raise
            return True

    def down(self) -> tuple[str, ...]:
        """Stop everything within ten seconds; the names of those that needed SIGKILL."""
        with uninterrupted():
            stubborn = stop_everything(self.folders.root, self._mark)
            if self._reaper is not None:
                self._reaper.dismiss()
                self._reaper = None
        self._settings = None
        if stubborn:
            _log.warning("did not stop when asked and were killed: %s", ", ".join(stubborn))
        return stubborn

    def __enter__(self) -> Self:
        """Up, with SIGTERM treated as Ctrl-C until the end of the block."""
        with ExitStack() as undo:
            undo.enter_context(interruptible())
            self.up()
            self._signals = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Down, unless it was up before."""
        try:
            if self._is_ours:
                self.down()
        finally:
            self._signals.close()

    def status(self) -> tuple[ProcessStatus, ...]:
        """Every recorded process with its health, as asked from it just now."""
        known = Records.of(self.folders.root).read()
        return tuple(status_of(one, partial(self._server, one.name)) for one in known)

    def restart(self, name: str) -> None:
        """Stop one process and start it again on its port, with its data; wait until ready."""
        boot = _boot(read_config(self.folders)) if name == "conductor" else ()
        self._starter().relaunch(self._server(name, boot))

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process group of that name."""
        record = Records.of(self.folders.root).find(name)
        if record is None or not send(record, number):
            raise InputError(f"{name} does not run in {self.folders.root}")

    def ensure_secondary(self) -> bool:
        """Start the secondary's worker beside a running sandbox; False when it ran already."""
        with locked(self.folders.root / "up.lock"):
            known = Records.of(self.folders.root).find("secondary")
            if known is not None and is_alive(known):
                return False
            prepare.secondary(read_config(self.folders))
            self._starter().add(self._server("secondary"))
            return True

    def set_defects(self, names: Sequence[str]) -> None:
        """Restart only the Conductor workers, with these seeded defects switched on.

        NAME for every recording, NAME@RECORDING_ID for one. InputError names an unknown one.
        """
        for name in names:
            describe(name.partition("@")[0])
        self._settings = change_config(self.folders, {"workers": {"defects": list(names)}})
        self.restart("workers")

    def _start(self) -> None:
        for attempt in range(1, _PORT_TRIES + 1):
            self._clean()
            try:
                self._start_once()
            except PortTakenError:
                if attempt == _PORT_TRIES:
                    raise
            else:
                return

    def _clean(self) -> None:
        """Stop and remove what an earlier owner left here, say after a SIGKILL."""
        stop_everything(self.folders.root)
        forget(self.folders, keep_store=self._detached)

    def _start_once(self) -> None:
        if not self._detached and self._reaper is None:
            self._reaper = Reaper.watch(self.folders.root)
        if "conductor" in self._parts:
            pinned(self._version)  # a wrong version is told before anything is written
        self._mark = Records.of(self.folders.root).mark()
        if self._reaper is not None:
            self._reaper.tell(self._mark)
        ports = free_ports(PORTS)
        settings = write_config(self._base, self.folders, ports, self._changes)
        after = {
            "s3": lambda: prepare.buckets(settings),
            "conductor": lambda: prepare.definitions(Harness.of(settings)),
        }
        has_work = _WORKING.intersection(self._parts)
        beside = [lambda: prepare.databases(settings)] if has_work else []
        boot = _boot(settings) if "conductor" in self._parts else ()
        planned = servers(settings, self.folders, ports, self._parts, boot)
        self._starter().run(planned, after, beside)
        self._settings = settings

    def _starter(self) -> Starter:
        timeout_s = self._base.sandbox.start_timeout_s
        return Starter(self.folders, timeout_s=timeout_s, say=self._say)

    def _server(self, name: str, boot: Sequence[str] = ()) -> Server:
        """The server as recorded in the running sandbox."""
        settings = read_config(self.folders)
        known = Records.of(self.folders.root).read()
        ports = {record.name: record.port for record in known if record.port is not None}
        found = servers(settings, self.folders, ports, (name,), boot)
        if not found:
            raise InputError(f"unknown part of the sandbox: {name}")
        return found[0]


def _boot(settings: Settings) -> tuple[str, ...]:
    return boot_words(settings, ensure_jar(settings.conductor.version, settings.cache_dir))


def _merge(
    base: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    names = [*base, *(name for name in new if name not in base)]
    return {name: {**base.get(name, {}), **new.get(name, {})} for name in names}

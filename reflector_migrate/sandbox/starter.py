"""Start servers as soon as what they need is ready, all at once, and wait for each by its health.

Conductor's long start is overlapped by everything else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.sandbox.process import Command, is_alive, listens, start, stop
from reflector_migrate.sandbox.process_table import MARK, ProcessRecord, Records
from reflector_migrate.sandbox.servers.base import Folders, Server

_POLL_S = 0.05
_TAIL_BYTES = 4000
_STOP_GRACE_S = 6.0

Say = Callable[[str], None]
After = Mapping[str, Callable[[], None]]


class PortTakenError(ServerUnreachableError):
    """Another process took the port between our choosing it and our server's asking for it."""


@dataclass(slots=True)
class Starter:
    """Starts servers of one sandbox folder and says what became ready, and when."""

    folders: Folders
    timeout_s: float
    say: Say
    records: Records = field(init=False)

    def __post_init__(self) -> None:
        self.records = Records.of(self.folders.root)

    def run(
        self, servers: Sequence[Server], after: After, beside: Sequence[Callable[[], None]]
    ) -> None:
        """Start all; `after[name]` runs once that server is ready, `beside` from the beginning.

        Raises ServerUnreachableError with the end of its log when one dies or is
        not ready in time, PortTakenError when its port was taken. The caller
        stops what was started.
        """
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="sandbox") as pool:
            work = [pool.submit(task) for task in beside]
            self._loop(servers, after, work, pool)
            for task in work:
                task.result(timeout=self.timeout_s)

    def _loop(
        self,
        servers: Sequence[Server],
        after: After,
        work: list[Future[None]],
        pool: ThreadPoolExecutor,
    ) -> None:
        begun = time.monotonic()
        pending, ready = list(servers), set[str]()
        names = {server.name for server in servers}
        started: list[tuple[Server, ProcessRecord]] = []
        while len(ready) < len(names):
            for server in [s for s in pending if ready.issuperset(names & set(s.needs))]:
                pending.remove(server)
                started.append((server, self.launch(server)))
            for server, record in [pair for pair in started if pair[0].name not in ready]:
                if self._is_ready(server, record, begun):
                    ready.add(server.name)
                    self.say(f"{server.name} ready after {time.monotonic() - begun:.1f} s")
                    if server.name in after:
                        work.append(pool.submit(after[server.name]))
            _raise_first(work)
            time.sleep(_POLL_S)

    def launch(self, server: Server) -> ProcessRecord:
        """Start one server with a log of its own; the log of an earlier start is set aside."""
        log = self.folders.log(server.name)
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        ready_file = self.folders.ready_file(server.name)
        ready_file.parent.mkdir(parents=True, exist_ok=True)
        ready_file.unlink(missing_ok=True)
        return start(self._command(server, log), self.records)

    def wait(self, server: Server, record: ProcessRecord) -> None:
        """Return when this one server is ready; raise as `run` does."""
        begun = time.monotonic()
        while not self._is_ready(server, record, begun):
            time.sleep(_POLL_S)

    def relaunch(self, server: Server) -> None:
        """Stop this server if it runs, start it again on the same port, wait until ready."""
        record = self.records.find(server.name)
        if record is not None:
            stop([record], self.records, _STOP_GRACE_S)
        self.wait(server, self.launch(server))

    def add(self, server: Server) -> None:
        """Start one more server beside those that run; nothing of it is left when it fails."""
        record = self.launch(server)
        try:
            self.wait(server, record)
        except BaseException:
            stop([record], self.records, _STOP_GRACE_S)
            raise

    def _command(self, server: Server, log: Path) -> Command:
        return Command(
            name=server.name,
            argv=server.argv,
            env=environment(self.folders) | dict(server.env),
            cwd=server.cwd,
            log=log,
            port=server.port,
            is_worker=server.is_worker,
            user=server.user,
        )

    def _is_ready(self, server: Server, record: ProcessRecord, begun: float) -> bool:
        if not is_alive(record):
            raise _died(server, Path(record.log))
        if server.is_ready() and listens(record):
            return True
        if time.monotonic() - begun > self.timeout_s:
            raise ServerUnreachableError(
                f"{server.name} was not ready within {self.timeout_s:g} s",
                hint=f"busy machine? raise sandbox.start_timeout_s; log: {record.log}",
            )
        return False


def environment(folders: Folders) -> dict[str, str]:
    """The caller's environment without settings and cloud credentials, with our migrate.toml."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MIGRATE_", "AWS_")) and key != MARK
    }
    return inherited | {"MIGRATE_CONFIG": str(folders.config), "PYTHONUNBUFFERED": "1"}


def _died(server: Server, log: Path) -> ServerUnreachableError:
    tail = _tail(log)
    if "already in use" in tail.lower():
        return PortTakenError(f"{server.name}: port {server.port} was taken by another process")
    last = next((line for line in reversed(tail.splitlines()) if line.strip()), "no output")
    return ServerUnreachableError(f"{server.name} ended while starting: {last}", hint=_see(log))


def _tail(log: Path) -> str:
    try:
        return log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", errors="replace")
    except OSError:
        return ""


def _see(log: Path | str) -> str:
    return f"see {log}"


def _raise_first(work: Sequence[Future[None]]) -> None:
    for task in work:
        if task.done():
            task.result()

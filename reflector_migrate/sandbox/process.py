"""Start, verify and stop process groups, so that nothing ever outlives its sandbox unseen.

start(...)      a child in its own session, recorded before it may run
is_alive(...)   by pid and start time
stop(...)       SIGTERM to the groups, a bounded wait, then SIGKILL
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from reflector_migrate.errors import MigrateError
from reflector_migrate.sandbox import launch
from reflector_migrate.sandbox.process_table import MARK, ProcessRecord, Records, redact

_log = logging.getLogger(__name__)

_SAME_START_S = 1.0  # the system's clock may be adjusted between two readings
_POLL_S = 0.05
_KILL_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: argv, whole environment, working folder, log file."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    port: int | None = None
    is_worker: bool = False
    user: str | None = None


def start(command: Command, records: Records) -> ProcessRecord:
    """Start the command in a session of its own; it is recorded before it may run.

    Raises MigrateError when the operating system cannot start it at all.
    """
    command.log.parent.mkdir(parents=True, exist_ok=True)
    env = {**command.env, MARK: records.mark()}
    gate, opener = os.pipe()
    try:
        child = _spawn(command, env, gate)
        record = _describe(command, child.pid)
        records.add(record)
        os.write(opener, b"1")
    finally:
        os.close(gate)
        os.close(opener)
    _CHILDREN[child.pid] = child
    return record


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}  # ours to reap; others' have init


def _spawn(command: Command, env: Mapping[str, str], gate: int) -> subprocess.Popen[bytes]:
    launcher = (sys.executable, "-I", "-S", launch.__file__, str(gate), command.user or "-", "--")
    with command.log.open("ab") as log:
        try:
            return subprocess.Popen(
                [*launcher, *command.argv],
                env=dict(env),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(gate,),
            )
        except OSError as error:
            raise MigrateError(f"cannot start {command.name}: {error}") from None


def _describe(command: Command, pid: int) -> ProcessRecord:
    return ProcessRecord(
        name=command.name,
        pid=pid,
        started=psutil.Process(pid).create_time(),
        argv=redact(command.argv),
        log=str(command.log),
        port=command.port,
        is_worker=command.is_worker,
    )


def is_alive(record: ProcessRecord) -> bool:
    """Whether exactly this process runs: the pid, started at that time, not a zombie."""
    pid = record.pid
    child = _CHILDREN.get(pid)
    if child is not None and child.poll() is not None:
        del _CHILDREN[pid]
    try:
        process = psutil.Process(record.pid)
        return _is_same(process, record) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def listens(record: ProcessRecord) -> bool:
    """Whether the port in the record belongs to this very process group; True without a port."""
    if record.port is None:
        return True
    for process in _group(record):
        with suppress(psutil.Error):
            sockets = process.net_connections("tcp")
            if any(s.status == psutil.CONN_LISTEN and s.laddr.port == record.port for s in sockets):
                return True
    return False


def send(record: ProcessRecord, number: int) -> bool:
    """Send a signal to the whole group of this process; False when it is gone already."""
    if not is_alive(record):
        return False
    with suppress(ProcessLookupError):
        os.killpg(record.pid, number)
        return True
    return False


def stop(targets: Sequence[ProcessRecord], records: Records, grace_s: float) -> tuple[str, ...]:
    """End these groups: SIGTERM, `grace_s` for all together, then SIGKILL. Names that needed it.

    Members of a group whose leader died already are found by session and by the
    sandbox's mark in their environment. Records are removed once nothing is left.
    """
    mark = records.mark()
    for process in _members(targets, mark):
        _signal(process, signal.SIGTERM)
    left = _wait(targets, mark, grace_s)
    stubborn = tuple(record.name for record in targets if is_alive(record))
    for process in left:
        _signal(process, signal.SIGKILL)
    if left and _wait(targets, mark, _KILL_WAIT_S):
        raise MigrateError(f"cannot stop {', '.join(r.name for r in targets)}: not even by SIGKILL")
    try:
        records.remove(targets)
    except OSError as error:  # a full disk must not keep the next ones running
        names = ", ".join(record.name for record in targets)
        _log.warning("%s ended, and are still on record: %s", names, error)
    return stubborn


def stop_strays(records: Records) -> int:
    """Kill whatever still carries this sandbox's mark and belongs to no record; how many."""
    known = {record.pid for record in records.read()}
    return kill_marked(records.mark(), but=known)


def kill_marked(mark: str, but: Collection[int] = ()) -> int:
    """Kill whatever carries a sandbox's mark, `but` for these sessions; how many."""
    strays = [p for p in marked(MARK, mark) if _session(p.pid) not in but]
    for process in strays:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(strays, timeout=_KILL_WAIT_S)
    return len(strays)


def marked(variable: str, value: str) -> list[psutil.Process]:
    """Each of our processes, except this one, whose environment holds variable=value."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(variable) == value:
                found.append(process)
    return found


def _wait(targets: Sequence[ProcessRecord], mark: str, wait_s: float) -> list[psutil.Process]:
    deadline = time.monotonic() + wait_s
    while True:
        left = _members(targets, mark)
        if not left or time.monotonic() >= deadline:
            return left
        psutil.wait_procs(left, timeout=min(_POLL_S, wait_s))


def _members(targets: Iterable[ProcessRecord], mark: str) -> list[psutil.Process]:
    """The living processes of these groups, distinguished from strangers by start time or mark."""
    living = [record for record in targets if not _is_reused(record)]
    return [process for record in living for process in _group(record, mark)]


def _group(record: ProcessRecord, mark: str | None = None) -> list[psutil.Process]:
    has_leader = is_alive(record)
    found = []
    for pid in psutil.pids():
        if _session(pid) != record.pid:
            continue
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            is_ours = has_leader or process.environ().get(MARK) == mark
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _is_reused(record: ProcessRecord) -> bool:
    """Whether the pid now belongs to another process (then its session does too)."""
    try:
        return not _is_same(psutil.Process(record.pid), record)
    except psutil.NoSuchProcess:
        return False


def _is_same(process: psutil.Process, record: ProcessRecord) -> bool:
    return bool(abs(process.create_time() - record.started) < _SAME_START_S)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)

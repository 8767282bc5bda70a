"""A parent and its worker processes: none outlives the parent, none is left behind.

Each child holds the read end of a pipe as its standard input; when the parent
ends, however, the pipe closes and the child drains by itself.
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from reflector_migrate.conductor.runtime.in_flight_file import Note, notes_beside, read

logger = logging.getLogger(__name__)

LOOK_S = 0.1
GRACE_S = 1.0
RESTART_WAITS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_S = 60.0

OnDeath = Callable[[int, int, Sequence[Note]], None]


class Child:
    """One worker process that is started again when it dies, ever more slowly."""

    def __init__(self, argv: Sequence[str], ready_file: Path, on_death: OnDeath) -> None:
        """`ready_file` is written by the child when it polls.

        `on_death` gets pid, exit code and the child's work, unless we ended it.
        """
        self._argv = list(argv)
        self._on_death = on_death
        self._ready_file = ready_file
        self._deaths = 0
        self._not_before = 0.0
        self._started = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it has begun to poll."""
        return self._ready_file.exists()

    def look_after(self) -> None:
        """Start it if it does not run and its time has come."""
        if self.process is not None and self.process.poll() is not None:
            self._bury(self.process)
        if self.process is None and time.monotonic() >= self._not_before:
            environ = {**os.environ, "MIGRATE_READY_FILE": str(self._ready_file)}
            self.process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, env=environ)
            self._started = time.monotonic()

    def ask_to_stop(self) -> None:
        """Tell it to drain, by signal and by the end of its input."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            _close_input(self.process)

    def end(self, until: float) -> None:
        """Wait for it until a moment of the monotonic clock, then kill it."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("worker process %s did not drain in time; killed", self.process.pid)
            self.process.kill()
            self.process.wait(GRACE_S)

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        is_steady = time.monotonic() - self._started > STEADY_S
        self._deaths = 0 if is_steady else self._deaths + 1
        wait_s = RESTART_WAITS_S[min(self._deaths, len(RESTART_WAITS_S) - 1)]
        logger.error("worker process %s ended with %s", process.pid, process.returncode)
        _close_input(process)
        notes = notes_beside(self._ready_file)
        self._on_death(process.pid, process.returncode, read(notes))
        for file in (self._ready_file, notes):
            file.unlink(missing_ok=True)
        self.process, self._not_before = None, time.monotonic() + wait_s


def keep(
    children: Sequence[Child], stop: threading.Event, drain_s: float, on_ready: Callable[[], None]
) -> None:
    """Keep all children running until `stop`; then none is left, within `drain_s` + 1 s."""
    is_announced = False
    while not stop.is_set():
        for child in children:
            child.look_after()
        if not is_announced and all(child.is_ready for child in children):
            on_ready()
            is_announced = True
        stop.wait(LOOK_S)
    until = time.monotonic() + drain_s + GRACE_S / 2
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.end(until)


def stop_when_input_closes(stop: threading.Event) -> None:
    """Set `stop` when our standard input ends, that is, when the parent does."""

    def watch() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        stop.set()

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()

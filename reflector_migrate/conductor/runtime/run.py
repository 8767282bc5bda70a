"""Starts worker processes: `python -m reflector_migrate.conductor.runtime.run --group all`.

SIGTERM (or SIGINT, or the parent's end) drains within `workers.drain_s` and
leaves no process. When everything polls, the file named by MIGRATE_READY_FILE is
written.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from reflector_migrate.conductor.runtime.erased_folders import keep_removing
from reflector_migrate.conductor.runtime.groups import GROUPS, Member, members
from reflector_migrate.conductor.runtime.in_flight_file import Deaths
from reflector_migrate.conductor.runtime.supervisor import Child, keep, stop_when_input_closes
from reflector_migrate.entrance import loaded_settings
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.log_context import FORMAT, About
from reflector_migrate.settings import mark_ready
from reflector_migrate.temporary import temporary_folder

logger = logging.getLogger(__name__)

Serve = Callable[[Harness, Member, threading.Event, Callable[[], None]], None]


class Options(NamedTuple):
    """The command line."""

    group: str
    config: Path | None
    is_child: bool


class Parser(argparse.ArgumentParser):
    """Reports errors in the form of every other command."""

    def error(self, message: str) -> NoReturn:
        """Print `error:` and `hint:`; exit 2."""
        self.exit(2, f"error: {message}\nhint:  see {self.prog} --help\n")


def parse(argv: Sequence[str]) -> Options:
    """Options of the command line; exits with 2 on a wrong one."""
    parser = Parser(prog="migrate worker run conductor", description="Conductor worker processes")
    parser.add_argument("--group", choices=("all", *GROUPS), default="all")
    parser.add_argument("--config", type=Path, default=None)
    parser.add_argument("--child", action="store_true", help="end when standard input closes")
    given = parser.parse_args(list(argv))
    return Options(given.group, given.config, given.child)


def main(
    argv: Sequence[str] | None = None,
    *,
    serve: Serve | None = None,
    command: Sequence[str] = (sys.executable, "-m", "reflector_migrate.conductor.runtime.run"),
) -> int:
    """Run one group, or all, until asked to stop; 0.

    `serve` and `command` let a test put other steps into the same processes.
    """
    options = parse(sys.argv[1:] if argv is None else argv)
    harness = Harness.of(loaded_settings(options.config))
    log_to_stderr()
    stop = stop_on_signals()
    if options.is_child:
        stop_when_input_closes(stop)
    else:
        keep_removing(harness, stop)
    ours = members(options.group, harness.settings.workers)
    if options.is_child or len(ours) == 1:
        (serve or serve_member)(harness, ours[0], stop, mark_ready)
    else:
        _keep_family(options, ours, harness, stop, command)
    return 0


def serve_member(
    harness: Harness, member: Member, stop: threading.Event, on_ready: Callable[[], None]
) -> None:
    """Be one worker process over the pipeline's own steps."""
    from reflector_migrate.conductor.runtime.worker_process import serve
    from reflector_migrate.pipeline.connection_guard import guard_connections
    from reflector_migrate.pipeline.runner import run_step

    namespace = harness.settings.candidate.namespace
    if namespace != "live":  # live ones call the webhooks of any customer
        guard_connections(harness.settings)
    serve(harness, member, stop, on_ready, run_step)


def log_to_stderr() -> None:
    """One line per fact, with its step and run; HTTP clients keep quiet.

    Their lines quote presigned addresses.
    """
    handler = logging.StreamHandler()
    handler.addFilter(About())
    logging.basicConfig(level=logging.INFO, format=FORMAT, handlers=[handler])
    for name in ("httpx", "httpcore", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _keep_family(
    options: Options,
    ours: Sequence[Member],
    harness: Harness,
    stop: threading.Event,
    command: Sequence[str],
) -> None:
    config = ["--config", str(options.config)] if options.config else []
    with temporary_folder("migrate-workers-") as folder:
        on_death = Deaths(harness).report
        children = [
            Child([*command, "--child", "--group", m.group, *config], folder / str(n), on_death)
            for n, m in enumerate(ours)
        ]
        keep(children, stop, harness.settings.workers.drain_s, mark_ready)


if __name__ == "__main__":
    sys.exit(main())

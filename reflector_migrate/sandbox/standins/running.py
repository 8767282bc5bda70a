"""Runs the stand-ins as a process of their own for as long as a block lasts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.temporary import temporary_folder

STOP_S = 5.0


def standins_argv(recordings: Path, port_file: Path, port: int = 0) -> list[str]:
    """The command line of the stand-ins; port 0 picks a free one."""
    module = [sys.executable, "-m", "reflector_migrate.sandbox.standins"]
    where = ["--host", "127.0.0.1", "--port", str(port), "--port-file", str(port_file)]
    return [*module, *where, "--recordings", str(recordings)]


@contextmanager
def running_standins(recordings: Path, *, timeout_s: float = 20.0) -> Iterator[str]:
    """Start the stand-ins, yield their base URL, stop them whatever happens.

    Raises ServerUnreachableError with the process's last words when they do not come up.
    """
    with temporary_folder("migrate-standins-") as folder:
        port_file, log_file = folder / "port", folder / "log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                standins_argv(recordings, port_file), stdout=log, stderr=log, env=dict(os.environ)
            )
        try:
            yield _await_ready(process, port_file, log_file, timeout_s)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], timeout_s: float = STOP_S) -> int:
    """Stop a process by SIGTERM, by SIGKILL when it does not go; its exit code."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        return process.wait(timeout_s)
    process.kill()
    return process.wait(timeout_s)


def _await_ready(
    process: subprocess.Popen[bytes], port_file: Path, log_file: Path, timeout_s: float
) -> str:
    deadline = time.monotonic() + timeout_s
    with httpx.Client(timeout=2.0, trust_env=False) as http:
        while process.poll() is None and time.monotonic() < deadline:
            if port_file.exists():
                url = f"http://127.0.0.1:{port_file.read_text(encoding='utf-8')}"
                with suppress(httpx.HTTPError):
                    http.get(f"{url}/control/health").raise_for_status()
                    return url
            time.sleep(0.02)
    last = log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise ServerUnreachableError(f"the stand-ins did not start: {last[-1] if last else 'silent'}")

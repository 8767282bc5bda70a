"""The stand-ins as a process: up quickly, local only, gone on SIGTERM."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins, standins_argv, stop


def test_the_process_serves_while_the_block_lasts_and_not_after(tmp_path):
    """Health answers inside the block; outside, there is no listener."""
    with running_standins(tmp_path) as url:
        health = StandinControl(url).health()
    assert health["status"] == "ok"
    assert set(health["versions"]) == {"python", "starlette", "uvicorn"}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/control/health", timeout=2, trust_env=False)


def test_sigterm_ends_it_even_while_a_request_hangs(tmp_path):
    """A client that waits for a hung answer does not keep the process alive."""
    port_file = tmp_path / "port"
    process = subprocess.Popen(standins_argv(tmp_path, port_file))
    try:
        url = _url(port_file)
        StandinControl(url).set_fault("daily", "timeout")
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as hung:
            hung.sendall(b"GET /daily/v1/recordings HTTP/1.1\r\nHost: x\r\n\r\n")
            _until(lambda: StandinControl(url).requests("daily"))
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(15) == 0
    finally:
        stop(process)


def test_a_remote_address_is_refused(tmp_path):
    """The control endpoint decides the answers: it stays local."""
    argv = [sys.executable, "-m", "reflector_migrate.sandbox.standins", "--host", "0.0.0.0"]
    ended = subprocess.run(
        [*argv, "--port", "0", "--recordings", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert "loopback" in ended.stderr


def test_a_taken_port_is_one_clear_line(tmp_path):
    """The second process on a port says so and ends."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            standins_argv(tmp_path, tmp_path / "port", port),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert ended.returncode == 4
    assert ended.stderr.count("\n") == 1
    assert str(port) in ended.stderr


def _url(port_file: Path) -> str:
    _until(port_file.exists)
    return f"http://127.0.0.1:{port_file.read_text(encoding='utf-8')}"


def _until(holds, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)

"""Is a server ready? Each probe answers within three seconds and never raises."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from pathlib import Path

from reflector_migrate.sandbox.ports import HOST

Probe = Callable[[], bool]
_TIMEOUT_S = 3.0


def http_ok(port: int, path: str, text: bytes = b"") -> Probe:
    """Ready when GET answers 200 with `text` somewhere in its body."""

    def probe() -> bool:
        try:
            status, body = request("GET", port, path)
        except (OSError, http.client.HTTPException):
            return False
        return status == http.client.OK and text in body

    return probe


def redis_ok(port: int) -> Probe:
    """Ready when PING is answered by PONG: not while Redis still loads its file."""

    def probe() -> bool:
        try:
            with socket.create_connection((HOST, port), timeout=_TIMEOUT_S) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    return probe


def log_says(log: Path, words: bytes) -> Probe:
    """Ready when the log holds `words`; the log of an earlier start must have been moved away."""

    def probe() -> bool:
        try:
            return words in log.read_bytes()
        except OSError:
            return False

    return probe


def celery_answers(broker_url: str, node: str) -> Probe:
    """Healthy when the worker called `node` answers a ping through its broker."""

    def probe() -> bool:
        from celery import Celery
        from kombu.exceptions import OperationalError

        app = Celery(broker=broker_url, set_as_current=False)
        app.conf.broker_transport_options = {
            "socket_timeout": _TIMEOUT_S,
            "socket_connect_timeout": _TIMEOUT_S,
            "max_retries": 0,
        }
        try:
            return bool(app.control.ping(destination=[node], timeout=_TIMEOUT_S))
        except (OperationalError, OSError):
            return False

    return probe


def exists(path: Path) -> Probe:
    """Ready when the process has written this file."""
    return path.exists


def request(method: str, port: int, path: str, timeout_s: float = _TIMEOUT_S) -> tuple[int, bytes]:
    """One HTTP exchange with a local server: status and body; OSError when none listens."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()

"""Free local ports, taken from below the range the system gives to outgoing connections."""

from __future__ import annotations

import random
import socket

from reflector_migrate.errors import MigrateError

HOST = "127.0.0.1"
_LOWEST, _HIGHEST = 15_000, 30_000
_TRIES = 200


def free_port(taken: frozenset[int] = frozenset()) -> int:
    """A port without a listener now, and not in `taken`.

    Another process may still take it before our server does: the one who starts a server
    must be ready to try again with another one.
    """
    for _ in range(_TRIES):
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311 - chance avoids clashes, no secret
        if port not in taken and _is_free(port):
            return port
    raise MigrateError(f"no free port found between {_LOWEST} and {_HIGHEST}")


def free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """One distinct free port for each name."""
    ports: dict[str, int] = {}
    for name in names:
        ports[name] = free_port(frozenset(ports.values()))
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True

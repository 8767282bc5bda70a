"""Nothing leaves: a worker of the shadow connects to configured hosts and to no other.

Python reports to an audit hook every connection that its own sockets make, whichever library
asks for it. Libraries that connect in C are not seen: PostgreSQL's, and FFmpeg's when it reads a
presigned address. Both are given addresses of configured places only.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from reflector_migrate.errors import RefusedError
from reflector_migrate.settings import Settings

KNOWN_S = 60.0
"""How long a host's addresses are taken to be its own."""

Resolve = Callable[[str], Iterable[str]]


def configured_hosts(settings: Settings) -> frozenset[str]:
    """Every host that a setting names; one that begins with a dot stands for what ends so."""
    services, s3 = settings.services, settings.s3
    urls = (
        settings.store_url, settings.candidate.database_url, settings.candidate.bus_url,
        settings.reflector.database_url, settings.reflector.broker_url, settings.reflector.bus_url,
        settings.conductor.server_url, services.daily_url, services.transcript_url,
        services.llm_url, services.zulip_url, s3.endpoint_url, settings.sandbox.control_url,
    )  # fmt: skip
    hosts = {host for url in urls if url and (host := urlsplit(url).hostname)}
    where = urlsplit(s3.endpoint_url).hostname if s3.endpoint_url else "amazonaws.com"
    return frozenset({*hosts, f".{where}"})


class ConnectionGuard:
    """Says which connections are refused. `resolve` gives a host's addresses."""

    def __init__(self, hosts: frozenset[str], resolve: Resolve) -> None:
        self._hosts, self._resolve = hosts, resolve
        self._addresses: set[str] = set()
        self._known_until = 0.0
        self._asking = threading.local()

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        """An audit hook: raises RefusedError instead of letting a connection be made."""
        if event not in ("socket.connect", "socket.getaddrinfo"):
            return
        if getattr(self._asking, "is_ours", False):
            return
        if event == "socket.getaddrinfo":
            self._require(_text(arguments[0]))
        elif isinstance(arguments[1], tuple):  # else a socket of this machine's file system
            self._require(_text(arguments[1][0]))

    def _require(self, host: str) -> None:
        if not host or self._is_known(host):
            return
        raise RefusedError(
            f"a connection to {host} was refused: no setting names that host",
            hint="a step in shadow reaches configured hosts only",
        )

    def _is_known(self, host: str) -> bool:
        if host in self._hosts or any(n[0] == "." and host.endswith(n) for n in self._hosts):
            return True
        if not _is_address(host):
            return False
        if host not in self._addresses and time.monotonic() > self._known_until:
            self._look_up()
        return host in self._addresses

    def _look_up(self) -> None:
        """Ask for the addresses of all hosts again; the hook does not judge these questions."""
        self._asking.is_ours = True
        try:
            for host in self._hosts:
                if not host.startswith("."):
                    self._addresses |= set(self._resolve(host))
        finally:
            self._asking.is_ours = False
        self._known_until = time.monotonic() + KNOWN_S


def guard_connections(settings: Settings) -> None:
    """From now on this process connects to configured hosts only; it cannot be undone."""
    sys.addaudithook(ConnectionGuard(configured_hosts(settings), addresses_of).hook)


def addresses_of(host: str) -> set[str]:
    """A host's addresses; none while its name server does not answer."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:
        return set()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _text(host: object) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")

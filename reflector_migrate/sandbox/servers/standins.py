"""The stand-ins of the outside services: Daily, recogniser, language model, Zulip, webhook."""

from __future__ import annotations

import sys

from reflector_migrate.sandbox.ports import HOST
from reflector_migrate.sandbox.probe import http_ok
from reflector_migrate.sandbox.servers.base import Folders, Server
from reflector_migrate.settings import Settings


def standins(settings: Settings, folders: Folders, port: int) -> Server:
    """One process for all of them on 127.0.0.1:port; ready when its control door answers."""
    where = ("--host", HOST, "--port", str(port))
    what = ("--recordings", str(settings.sandbox.recordings))
    argv = (sys.executable, "-m", "reflector_migrate.sandbox.standins", *where, *what)
    ready = http_ok(port, "/control/health")
    return Server("standins", argv, folders.data("standins"), ready, port)

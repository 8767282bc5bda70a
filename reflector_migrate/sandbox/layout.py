"""Which servers a sandbox consists of, from its settings and ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reflector_migrate.sandbox.servers.base import Folders, Server
from reflector_migrate.sandbox.servers.conductor import conductor
from reflector_migrate.sandbox.servers.redis import redis
from reflector_migrate.sandbox.servers.s3 import s3
from reflector_migrate.sandbox.servers.standins import standins
from reflector_migrate.sandbox.servers.workers import (
    legacy,
    live_workers,
    secondary,
    shadow,
    starter,
    workers,
)
from reflector_migrate.settings import Settings

# In the order of starting: Conductor takes longest, so it goes first
ALL = ("conductor", "redis", "s3", "standins", "legacy", "workers", "shadow")
ROUTES = ("live", "starter")
"""What serves recordings that are routed to Conductor; `sandbox.routes` says that they are."""
ON_DEMAND = ("secondary",)
KNOWN = (*ALL, *ROUTES, *ON_DEMAND)


def servers(
    settings: Settings,
    folders: Folders,
    ports: Mapping[str, int],
    parts: Sequence[str],
    boot: Sequence[str] = (),
) -> tuple[Server, ...]:
    """The servers called `parts`, in the order of starting; unknown names are left out.

    `boot` is what Java is given to run Conductor; not needed to ask how a server is.
    """
    broker = settings.reflector.broker_url
    makers: dict[str, Callable[[], Server]] = {
        "conductor": lambda: conductor(
            settings, folders, ports["conductor"], boot, redis_port=ports.get("redis", 0)
        ),
        "redis": lambda: redis(settings, folders, ports["redis"]),
        "s3": lambda: s3(folders, ports["s3"]),
        "standins": lambda: standins(settings, folders, ports["standins"]),
        "legacy": lambda: legacy(folders, settings),
        "live": lambda: live_workers(folders),
        "starter": lambda: starter(folders, broker),
        "secondary": lambda: secondary(folders, settings),
        "workers": lambda: workers(folders),
        "shadow": lambda: shadow(folders, broker),
    }
    return tuple(makers[name]() for name in KNOWN if name in parts)

"""Whether the Conductor server is fit to be given work."""

from __future__ import annotations

from typing import NamedTuple

import httpx

from reflector_migrate.clients.conductor_http import auth_headers
from reflector_migrate.conductor.server_version import server_version
from reflector_migrate.errors import MigrateError
from reflector_migrate.settings import Settings


class Health(NamedTuple):
    """Answers whether to route work there, and says why not."""

    is_healthy: bool
    version: str | None = None
    reason: str = ""
    is_unreachable: bool = False


def health(settings: Settings) -> Health:
    """The server's own health and version; never raises, answers within the timeouts."""
    ours = settings.conductor
    timeout = httpx.Timeout(ours.request_timeout_s, connect=ours.connect_timeout_s)
    try:
        answer = httpx.get(health_url(settings), timeout=timeout, headers=auth_headers(ours))
        if not (answer.is_success and answer.json().get("healthy")):
            return Health(False, reason=f"/health answers HTTP {answer.status_code}")
        return Health(True, str(server_version(settings)))
    except (httpx.HTTPError, ValueError, MigrateError) as error:
        reason = f"{type(error).__name__}: {error}"
        return Health(False, reason=reason, is_unreachable=isinstance(error, httpx.TransportError))


def health_url(settings: Settings) -> str:
    """The address of /health beside the API's own."""
    return settings.conductor.server_url.rstrip("/").removesuffix("/api") + "/health"

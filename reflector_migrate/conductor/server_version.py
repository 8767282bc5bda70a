"""What differs between the servers we support: 3.32.3 and the requirements' 3.15.0.

A server that does not report its version is of the 3.15 line. There a waiting poll does
not see what arrives, and a retry's delay has no cap. Results are handed in by the one
way that both know: `update-v2`, which 3.15.0 lacks and refuses in a manner that the SDK
takes for a passing failure, is not used.
"""

from __future__ import annotations

from typing import NamedTuple

from reflector_migrate.clients.conductor_http import ConductorHttp, NotFoundError
from reflector_migrate.settings import Settings

OLD_LINE = (3, 15, 0)
CURRENT_LINE = (3, 20, 0)


class ServerVersion(NamedTuple):
    """A server's version; `is_told` is False where it was inferred."""

    numbers: tuple[int, ...]
    is_told: bool

    @property
    def caps_retry_delay(self) -> bool:
        """Whether task definitions know `maxRetryDelaySeconds`."""
        return self.numbers >= CURRENT_LINE

    @property
    def knows_join_mode(self) -> bool:
        """Whether a JOIN can be evaluated at a constant interval."""
        return self.numbers >= CURRENT_LINE

    @property
    def wakes_waiting_polls(self) -> bool:
        """Whether a poll that waits returns as soon as a task arrives."""
        return self.numbers >= CURRENT_LINE

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers)) if self.is_told else "3.15 line"


def parse_version(text: str | None) -> ServerVersion:
    """`3.32.3` as numbers; anything else is of the 3.15 line."""
    parts = (text or "").strip().strip('"').split(".")
    numbers = tuple(int(part) for part in parts if part.isdigit())
    return ServerVersion(numbers, True) if len(numbers) >= 2 else ServerVersion(OLD_LINE, False)


def server_version(settings: Settings) -> ServerVersion:
    """Ask the server; ServerUnreachableError if it does not answer."""
    door = ConductorHttp(settings.conductor)
    try:
        return parse_version(str(door.get("/version")))
    except NotFoundError:
        return parse_version(_configured_version(door))
    finally:
        door.close()


def _configured_version(door: ConductorHttp) -> str | None:
    try:
        return str(door.get("/admin/config").get("version"))
    except NotFoundError:
        return None

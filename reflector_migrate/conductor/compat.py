"""What differs between the servers we support: 3.32.3 and the requirements' 3.15.0.

A server that does not tell its version is of the 3.15 line. There, `POST
/tasks/update-v2` answers HTTP 500 ("Request method 'POST' not supported"), which
the SDK takes for a failure of the server and repeats; so no task would ever
complete. `Updates` decides once per process, from the version and at the latest
from that first answer. There, too, a waiting poll does not see what arrives.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult
from conductor.client.http.rest import ApiException

from reflector_migrate.conductor.http import Door, NotFoundError
from reflector_migrate.settings import Settings

OLD_LINE = (3, 15, 0)
CURRENT_LINE = (3, 20, 0)
NO_SUCH_ENDPOINT = frozenset({404, 405})


class ServerVersion(NamedTuple):
    """A server's version; `is_told` is False where it was inferred."""

    numbers: tuple[int, ...]
    is_told: bool

    @property
    def has_update_v2(self) -> bool:
        """Whether a task's update can return the next task."""
        return self.numbers >= CURRENT_LINE

    @property
    def caps_retry_delay(self) -> bool:
        """Whether task definitions know `maxRetryDelaySeconds`."""
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
    door = Door(settings.conductor)
    try:
        return parse_version(str(door.get("/version")))
    except NotFoundError:
        return parse_version(_configured_version(door))
    finally:
        door.close()


def _configured_version(door: Door) -> str | None:
    try:
        return str(door.get("/admin/config").get("version"))
    except NotFoundError:
        return None


class TaskApi(Protocol):
    """The two ways in which the SDK's client hands in a result."""

    def update_task(self, body: TaskResult) -> object:
        """Hand in a result."""

    def update_task_v2(self, body: TaskResult) -> Task | None:
        """Hand in a result and get the next task of the same kind."""


class Updates:
    """Hands in results by the newest way the server knows; decides once for all threads."""

    def __init__(self, api: TaskApi, *, has_update_v2: bool = True) -> None:
        """`has_update_v2`: what the version says; the first answer can still correct it."""
        self._api = api
        self.has_update_v2 = has_update_v2

    def hand_in(self, result: TaskResult) -> None:
        """Hand in a result and ask for nothing."""
        self._api.update_task(body=result)

    def hand_in_for_next(self, result: TaskResult) -> Task | None:
        """Hand in a result; the next task of the same kind if the server gives one."""
        if self.has_update_v2:
            try:
                return self._api.update_task_v2(body=result)
            except ApiException as error:
                if not says_no_such_endpoint(error):
                    raise
                self.has_update_v2 = False
        self.hand_in(result)
        return None


def says_no_such_endpoint(error: ApiException) -> bool:
    """Whether the server does not know the address at all, whatever status it says so with."""
    if error.status in NO_SUCH_ENDPOINT:
        return True
    body = str(getattr(error, "body", "") or "")
    return error.status == 500 and "not supported" in body

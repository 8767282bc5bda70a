"""A worker process's side of the server: take a task, keep it, hand in its result.

Over the SDK's task client. Every request has a timeout; a result is handed in
again until the server took it or a bound is reached, for a server may restart.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import stamina
from conductor.client.configuration.configuration import Configuration
from conductor.client.http.api.task_resource_api import TaskResourceApi
from conductor.client.http.api_client import ApiClient
from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult
from conductor.client.http.models.task_result_status import TaskResultStatus
from conductor.client.http.rest import ApiException

from reflector_migrate.clients.conductor_http import auth_headers
from reflector_migrate.conductor.server_version import ServerVersion
from reflector_migrate.conductor.task_domain import Identity, task_domain
from reflector_migrate.errors import TransientStepError
from reflector_migrate.harness import Harness

logger = logging.getLogger(__name__)

WAITING_POLL_MS = 1000
HAND_IN = stamina.RetryingCaller(
    attempts=14, timeout=None, wait_initial=0.25, wait_max=8.0, wait_jitter=0
)
"""Over 72 seconds: a server may restart meanwhile."""
LEASE_SHARE = 1 / 3
GIVEN_UP = frozenset({"TIMED_OUT", "CANCELED", "FAILED", "FAILED_WITH_TERMINAL_ERROR", "SKIPPED"})


class TaskClient:
    """Takes tasks of one domain for one process and gives each back in one way or another."""

    def __init__(self, harness: Harness, version: ServerVersion, who: Identity) -> None:
        """Opens its own connections: make it in the process that uses it."""
        self._api = TimedTaskApi(harness)
        self._domain = task_domain(harness.settings)
        self._who = who
        short_ms = harness.settings.conductor.poll_interval_ms
        self._wait_ms = WAITING_POLL_MS if version.wakes_waiting_polls else short_ms

    def take(self, step: str) -> Task | None:
        """The next task of a step, waiting up to a second; None if there was none.

        One at a time: a server that is asked for several waits until it has them all.
        """
        return next(iter(self._poll(step, 1, self._wait_ms)), None)

    def look(self, step: str, count: int) -> list[Task]:
        """Up to `count` tasks of a step that are there now, without waiting."""
        return self._poll(step, count, 0)

    def _poll(self, step: str, count: int, timeout_ms: int) -> list[Task]:
        tasks = self._api.batch_poll(
            step,
            workerid=self._who.worker_id,
            domain=self._domain,
            count=count,
            timeout=timeout_ms,
        )
        return [task for task in tasks if task.task_id and self._keep_if_due(task)]

    def hand_in(self, result: TaskResult) -> None:
        """Hand in a result; logged where the server will not take it."""
        try:
            HAND_IN(_is_passing, self._api.update_task, result)
        except ApiException as error:
            logger.error("result of task %s not taken: %s", result.task_id, _why(error))

    def _keep_if_due(self, task: Task) -> bool:
        """Give a task that came too early back until it is due; True if it was not early.

        3.32.3 forgets the backoff of a task whose definition limits how many run at once.
        """
        early_s = early_by(task)
        if not early_s:
            return True
        try:
            self.give_back(task, early_s)
        except ApiException as error:
            logger.warning("task %s came early, not given back: %s", task.task_id, _why(error))
        return False

    def give_back(
        self, task: Task, after_s: int = 0, output: Mapping[str, Any] | None = None
    ) -> None:
        """Put a task back into its queue, for any process to take after that many seconds."""
        told = dict(output if output is not None else task.output_data or {})
        result = self._in_progress(task, callback_after_seconds=after_s, output_data=told)
        self._api.update_task(result)

    def lease(self, task: Task) -> Callable[[], None]:
        """A heartbeat that renews the task's lease, at most every third of its response timeout.

        Tied to the step's own progress: a step that hangs is timed out. Once the server
        has given the task up (too slow, workflow ended), the next beat raises
        TransientStepError: another attempt may be at work.
        """
        every_s = float(task.response_timeout_seconds or 0) * LEASE_SHARE
        renewed = [time.monotonic()]

        def heartbeat() -> None:
            if time.monotonic() - renewed[0] >= every_s > 0:
                renewed[0] = time.monotonic()
                self._renew(task)

        return heartbeat

    def _renew(self, task: Task) -> None:
        try:
            self._api.update_task(self._in_progress(task, extend_lease=True))
            status = self._api.task_status(task.task_id)
        except ApiException as error:
            logger.warning("lease of task %s not renewed: %s", task.task_id, _why(error))
            return
        if status in GIVEN_UP:
            raise TransientStepError(f"the server has given this attempt up: {status}")

    def _in_progress(self, task: Task, **extra: object) -> TaskResult:
        return TaskResult(
            task_id=task.task_id,
            workflow_instance_id=task.workflow_instance_id,
            worker_id=self._who.worker_id,
            status=TaskResultStatus.IN_PROGRESS,
            **extra,
        )


def early_by(task: Task) -> int:
    """Whole seconds, rounded up, until a task's backoff is over; 0 when it is.

    By the server's clock alone, which stamps a task when it is scheduled and when it is
    given out: a worker's own may be minutes off.
    """
    delay_s, given_out_ms = int(task.start_delay_in_seconds or 0), int(task.update_time or 0)
    if not given_out_ms:
        return 0
    due_ms = int(task.scheduled_time or 0) + delay_s * 1000
    return min(delay_s, max(0, math.ceil((due_ms - given_out_ms) / 1000)))


class TimedTaskApi:
    """The SDK's task client with our timeouts on every request."""

    def __init__(self, harness: Harness) -> None:
        """One connection pool; never share it between processes."""
        ours = harness.settings.conductor
        header = next(iter(auth_headers(ours).items()), (None, None))
        configuration = Configuration(server_api_url=ours.server_url)
        self._sdk = TaskResourceApi(ApiClient(configuration, *header))
        self._timeout = (ours.connect_timeout_s, ours.request_timeout_s)

    def batch_poll(self, step: str, **query: object) -> list[Task]:
        """Tasks of a step."""
        polled: list[Task] | None = self._sdk.batch_poll(
            step, _request_timeout=self._timeout, **query
        )
        return polled or []

    def task_status(self, task_id: str) -> str:
        """What the server thinks of a task."""
        return str(self._sdk.get_task(task_id, _request_timeout=self._timeout).status)

    def update_task(self, body: TaskResult) -> object:
        """Hand in a result."""
        return self._sdk.update_task(body=body, _request_timeout=self._timeout)


def _is_passing(error: Exception) -> bool:
    return isinstance(error, ApiException) and not 400 <= int(error.status or 0) < 500


def _why(error: ApiException) -> str:
    return f"HTTP {error.status}" if error.status else str(error.reason)[:200]

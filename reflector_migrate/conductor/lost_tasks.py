"""Puts steps back that wait for a worker and are in no queue.

Seen on 3.32.3 after three reruns of four from one step, while its worker was idle: the task waited,
no worker had been given it, and its queue was empty. Why is not known. One way there: a worker asks
after the task is put into its queue and before it counts as waiting, and the server drops it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from reflector_migrate.clients.conductor import ConductorClient
from reflector_migrate.clients.conductor_http import NotFoundError
from reflector_migrate.errors import RefusedError
from reflector_migrate.model import STEP_NAMES

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]

SURELY_S = 1.0
"""A worker that has just taken a task has told the server so within this time."""


def put_back_lost_by_rerun(client: ConductorClient, workflow_id: str) -> None:
    """The same right after a rerun: the server needs a moment to lose it.

    Raises ServerUnreachableError.
    """
    time.sleep(SURELY_S)
    put_back_lost(client, client.workflow(workflow_id))


def put_back_lost(client: ConductorClient, workflow: Json) -> None:
    """Put back whatever of a workflow is lost. Raises ServerUnreachableError."""
    for task in waiting_tasks(workflow):
        with suppress(NotFoundError, RefusedError):  # the server has it no longer
            put_back_if_lost(client, task)


def waiting_tasks(workflow: Json) -> list[Json]:
    """Steps that wait for a worker."""
    tasks = workflow.get("tasks") or ()
    return [t for t in tasks if t["status"] == "SCHEDULED" and t.get("taskDefName") in STEP_NAMES]


def put_back_if_lost(client: ConductorClient, task: Json) -> bool:
    """Put a task back that waits although its queue is empty; whether it was.

    Raises NotFoundError where the server no longer has it, ServerUnreachableError.
    """
    for _ in range(2):
        if client.queue_size(task["taskDefName"], task.get("domain")):
            return False
        now = client.task(task["taskId"])
        if (now["status"], now.get("updateTime")) != ("SCHEDULED", task.get("updateTime")):
            return False
        time.sleep(SURELY_S)
    client.put_back(task)
    logger.warning("task %s was in no queue; it is put back", task["taskId"])
    return True

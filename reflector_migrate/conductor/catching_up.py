"""Looks after a running workflow: tells what no worker could, wakes a server that overlooks it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from reflector_migrate.conductor.client import ConductorClient, connected
from reflector_migrate.conductor.execution import Execution, execution_of
from reflector_migrate.conductor.http import NotFoundError
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.errors import MigrateError
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.settings import Settings

logger = logging.getLogger(__name__)

GRACE_S = 1.0
"""How long past its response timeout a task may be before the server is asked to look."""


def catch_up(settings: Settings, workflow_id: str) -> Execution:
    """The execution, its progress told as far as it was not yet; for whoever polls it anyway.

    A server looks at a workflow again by its own clock: 3.32.3 finds a task's first loss at
    once, but a second one in a row only after a minute. So an overdue task is pointed out.
    Status `missing` when the server does not have it. Raises ServerUnreachableError.
    """
    if not workflow_id:
        return Execution(workflow_id, "missing")
    with connected(settings) as client:
        try:
            workflow = client.workflow(workflow_id)
        except NotFoundError:
            return Execution(workflow_id, "missing")
        _point_out_overdue(client, workflow)
    execution = execution_of(workflow)
    run = Run.model_validate({**workflow["input"]["run"], "workflow_id": workflow_id})
    has_ended = execution.status != "running"
    Progress(settings).catch_up(run, execution.step_runs, has_ended=has_ended)
    return execution


def _point_out_overdue(client: ConductorClient, workflow: Mapping[str, Any]) -> None:
    tasks = workflow.get("tasks") or ()
    if workflow["status"] != "RUNNING" or not any(is_overdue(t, time.time()) for t in tasks):
        return
    try:
        client.decide(str(workflow["workflowId"]))
    except MigrateError as error:  # it would have found out by itself
        logger.warning("server not woken for %s: %s", workflow["workflowId"], error)


def is_overdue(task: Mapping[str, Any], unix_s: float) -> bool:
    """Whether a task's worker has been silent for longer than it may."""
    allowed_s = float(task.get("responseTimeoutSeconds") or 0)
    if task["status"] != "IN_PROGRESS" or not allowed_s:
        return False
    heard_s = max(task.get("updateTime") or 0, task.get("startTime") or 0) / 1000
    return unix_s - heard_s > allowed_s + GRACE_S

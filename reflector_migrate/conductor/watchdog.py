"""Looks after a running workflow: tells what no worker could, wakes a server that overlooks it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from reflector_migrate.conductor.client import ConductorClient, connected
from reflector_migrate.conductor.execution import Execution, execution_of
from reflector_migrate.conductor.http import NotFoundError
from reflector_migrate.conductor.premature_failure import gone_on, is_cut_short
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.conductor.tasks.definitions import scaled
from reflector_migrate.errors import MigrateError
from reflector_migrate.model import STEP_NAMES, STEP_SPECS
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.settings import Settings

logger = logging.getLogger(__name__)

GRACE_S = 1.0
"""How long past its response timeout a task may be before the server is asked to look."""

IDLE_S = 3.0
"""How long a running workflow may have nothing to do before the server is asked to look."""

FIRST_S = 15.0
"""How long a workflow that a JOIN cut short is left to its failure workflow."""


def catch_up(settings: Settings, workflow_id: str) -> Execution:
    """The execution, its progress told as far as it was not yet; for whoever polls it anyway.

    A server looks at a workflow again by its own clock: 3.32.3 finds a task's first loss at
    once, but a second one in a row only after a minute; and a step that ends while another
    thread holds the workflow's lock is not followed up until then. So an overdue task and an
    idle workflow are pointed out, and a workflow that a JOIN cut short goes on. Status
    `missing` when the server does not have it. Raises ServerUnreachableError.
    """
    if not workflow_id:
        return Execution(workflow_id, "missing")
    with connected(settings) as client:
        try:
            workflow: Mapping[str, Any] = client.workflow(workflow_id)
        except NotFoundError:
            return Execution(workflow_id, "missing")
        if is_cut_short(workflow):
            workflow = _gone_on(settings, client, workflow)
        _point_out(settings, client, workflow)
    execution = execution_of(workflow)
    run = Run.model_validate({**workflow["input"]["run"], "workflow_id": workflow_id})
    has_ended = execution.status != "running"
    Progress(settings).catch_up(run, execution.step_runs, has_ended=has_ended)
    return execution


def _gone_on(
    settings: Settings, client: ConductorClient, workflow: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The failure workflow has it go on; until that had its time, it counts as running."""
    ended_s = float(workflow.get("endTime") or 0) / 1000
    if time.time() - ended_s < FIRST_S:
        return {**workflow, "status": "RUNNING"}
    return gone_on(settings, client, workflow)


def _point_out(settings: Settings, client: ConductorClient, workflow: Mapping[str, Any]) -> None:
    scale, unix_s = settings.conductor.time_scale, time.time()
    total_s = {spec.name: scaled(spec.timeout_s, scale) for spec in STEP_SPECS}
    overdue = (
        is_overdue(task, unix_s, total_s.get(task.get("taskDefName"), 0))
        for task in workflow.get("tasks") or ()
    )
    if workflow["status"] != "RUNNING" or not (is_idle(workflow, unix_s) or any(overdue)):
        return
    try:
        client.decide(str(workflow["workflowId"]))
    except MigrateError as error:  # it would have found out by itself
        logger.warning("server not woken for %s: %s", workflow["workflowId"], error)


def is_idle(workflow: Mapping[str, Any], unix_s: float) -> bool:
    """Whether no step has been waiting or at work for longer than it takes to plan the next."""
    steps = [task for task in workflow.get("tasks") or () if task.get("taskDefName") in STEP_NAMES]
    begun = workflow.get("startTime") or workflow.get("createTime") or 0
    last_s = max((task.get("endTime") or 0 for task in steps), default=begun) / 1000
    is_open = any(task["status"] in ("SCHEDULED", "IN_PROGRESS") for task in steps)
    return not is_open and unix_s - last_s > IDLE_S


def is_overdue(task: Mapping[str, Any], unix_s: float, total_s: float = 0) -> bool:
    """Whether a task's worker has been silent, or at it, for longer than it may."""
    if task["status"] != "IN_PROGRESS":
        return False
    begun_s, heard_s = ((task.get(name) or 0) / 1000 for name in ("startTime", "updateTime"))
    silent_s = (
        unix_s - max(begun_s, heard_s) - float(task.get("responseTimeoutSeconds") or math.inf)
    )
    over_s = unix_s - begun_s - (total_s or math.inf)
    return max(silent_s, over_s) > GRACE_S

"""Looks after a running workflow: publishes what no worker could, repairs what the server lost."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from reflector_migrate.clients.conductor_http import NotFoundError
from reflector_migrate.conductor.execution import Execution
from reflector_migrate.conductor.lost_tasks import put_back_lost, waiting_tasks
from reflector_migrate.conductor.premature_failure import is_cut_short, resume
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.conductor.tasks.definitions import scaled
from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, STEP_SPECS
from reflector_migrate.pipeline.contracts import Run

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]

GRACE_S = 1.0
"""How long past its response timeout a task may be before the server is asked to look."""

IDLE_S = 3.0
"""How long a running workflow may have nothing to do before the server is asked to look."""

LOST_S, ASK_EVERY_S = 30.0, 15.0
"""How long a task may wait before its queue is asked whether it has it, and how often that is."""

ASK_WITHIN_S = 3.0
"""In which part of that time it is asked: a look comes every second or two."""

FIRST_S = 15.0
"""How long a workflow that a JOIN cut short is left to its failure workflow."""


class Repair(StrEnum):
    """What a running workflow may need from outside."""

    RESUME = "resume"
    WAKE = "wake"
    PUT_BACK = "put back"


def read_workflow(harness: Harness, workflow_id: str) -> Json | None:
    """The workflow as the server has it; None where it has none. Raises ServerUnreachableError."""
    if not workflow_id:
        return None
    with harness.conductor() as client:
        try:
            return client.workflow(workflow_id)
        except NotFoundError:
            return None


def repairs_due(workflow: Json, unix_s: float, time_scale: float) -> Iterator[Repair]:
    """What it needs now.

    A server looks at a workflow again by its own clock: 3.32.3 finds a task's first loss at
    once, but a second one in a row only after a minute; and a step that ends while another
    thread holds the workflow's lock is not followed up until then. So an overdue task and an
    idle workflow are pointed out, and a workflow that a JOIN cut short is resumed, once its
    failure workflow had the time to do so. A task that waits for long may be in no queue
    (`lost_tasks.py`).
    """
    if is_cut_short(workflow) and not is_left_alone(workflow, unix_s):
        yield Repair.RESUME
    total_s = {spec.name: scaled(spec.timeout_s, time_scale) for spec in STEP_SPECS}
    overdue = (
        is_overdue(task, unix_s, total_s.get(task.get("taskDefName"), 0))
        for task in workflow.get("tasks") or ()
    )
    if workflow["status"] != "RUNNING":
        return
    if is_idle(workflow, unix_s) or any(overdue):
        yield Repair.WAKE
    if any(is_to_be_asked_for(task, unix_s) for task in waiting_tasks(workflow)):
        yield Repair.PUT_BACK


def apply_repair(harness: Harness, workflow: Json, repair: Repair) -> Json:
    """The workflow after it; waking is best effort. Raises ServerUnreachableError."""
    with harness.conductor() as client:
        if repair is Repair.RESUME:
            return resume(harness, client, workflow)
        if repair is Repair.PUT_BACK:
            put_back_lost(client, workflow)
            return workflow
        try:
            client.decide(str(workflow["workflowId"]))
        except MigrateError as error:  # it would have found out by itself
            logger.warning("server not woken for %s: %s", workflow["workflowId"], error)
    return workflow


def publish_progress(harness: Harness, workflow: Json, execution: Execution) -> None:
    """Publish what its listeners do not know yet; best effort."""
    run = {**workflow["input"]["run"], "workflow_id": workflow["workflowId"]}
    has_ended = execution.status != "running"
    Progress(harness).catch_up(Run.model_validate(run), execution.step_runs, has_ended=has_ended)


def is_left_alone(workflow: Json, unix_s: float | None = None) -> bool:
    """Whether a JOIN cut it short so recently that its failure workflow may still resume it."""
    ended_s = float(workflow.get("endTime") or 0) / 1000
    return is_cut_short(workflow) and (unix_s or time.time()) - ended_s < FIRST_S


def as_running(workflow: Json) -> Json:
    """The same, counted as running."""
    return {**workflow, "status": "RUNNING"}


def is_idle(workflow: Mapping[str, Any], unix_s: float) -> bool:
    """Whether no step has been waiting or at work for longer than it takes to plan the next."""
    steps = [task for task in workflow.get("tasks") or () if task.get("taskDefName") in STEP_NAMES]
    begun = workflow.get("startTime") or workflow.get("createTime") or 0
    last_s = max((task.get("endTime") or 0 for task in steps), default=begun) / 1000
    is_open = any(task["status"] in ("SCHEDULED", "IN_PROGRESS") for task in steps)
    return not is_open and unix_s - last_s > IDLE_S


def is_to_be_asked_for(task: Json, unix_s: float) -> bool:
    """Whether a task has waited so long, its delay aside, that its queue is to be asked now."""
    since_ms = max(task.get("scheduledTime") or 0, task.get("updateTime") or 0)
    delays = ("startDelayInSeconds", "callbackAfterSeconds")
    waited_s = unix_s - since_ms / 1000 - max(int(task.get(name) or 0) for name in delays)
    return waited_s > LOST_S and waited_s % ASK_EVERY_S < ASK_WITHIN_S


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

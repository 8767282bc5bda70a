"""Tells a workflow that failed from one that a JOIN cut short, and has the latter go on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from reflector_migrate.clients.conductor import ConductorClient
from reflector_migrate.clients.conductor_http import NotFoundError
from reflector_migrate.conductor.execution import execution_of, retry
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, spec_of

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]

TIMES = 5
BY_A_TASK = "failed with status: TERMINATED"
"""In the reason of a workflow that a cancelled task ended; a person's termination has another."""
OVER = frozenset({"FAILED", "TERMINATED", "TIMED_OUT"})
DONE = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS", "SKIPPED"})


def resume_if_cut_short(harness: Harness, workflow_id: str) -> bool:
    """Resume a workflow that a JOIN cut short; True if it is at work then, or was done before.

    Done is also what was ended or timed out after its transcript had ended. Raises
    ServerUnreachableError.
    """
    if not workflow_id:
        return False
    with harness.conductor() as client:
        try:
            workflow = resume(harness, client, client.workflow(workflow_id))
        except NotFoundError:
            return False
    return workflow["status"] not in OVER or execution_of(workflow).has_finalized


def resume(harness: Harness, client: ConductorClient, workflow: Json) -> Json:
    """The workflow after its failed tasks were retried, each time it was cut short."""
    workflow_id = str(workflow["workflowId"])
    for _ in range(TIMES):
        if not is_cut_short(workflow):
            break
        logger.warning("workflow %s was cut short by a JOIN; it goes on", workflow_id)
        if is_left_open(workflow):
            client.decide(workflow_id)  # cancels it; before that nothing counts as retryable
        try:
            retry(harness, workflow_id)
        except (RefusedError, NotFoundError) as error:  # another was faster: 3.32.3 says 404
            logger.warning("workflow %s does not go on: %s", workflow_id, error)
        workflow = client.workflow(workflow_id)
    return workflow


def is_cut_short(workflow: Json) -> bool:
    """Whether it failed although every failed step has attempts left.

    A JOIN that is evaluated between a branch's failure and the scheduling of its next
    attempt takes the failure for the branch's last (seen on 3.32.3). That next attempt may
    be there, and for a moment not yet be cancelled. What was cancelled so is no attempt here; the
    server counts it as one.
    """
    last = _last_attempts(workflow)
    is_undone = any(t["status"] not in DONE for t in last)
    is_final = any(_is_final(task, workflow["tasks"]) for task in last)
    return _has_failed(workflow) and is_undone and not is_final


def _has_failed(workflow: Json) -> bool:
    """Whether the server ended it because of a task, and not at a person's request.

    By 3.32.3 an attempt that is cancelled while its workflow is retried ends it as TERMINATED.
    """
    reason = str(workflow.get("reasonForIncompletion") or "")
    is_by_itself = workflow["status"] == "TERMINATED" and BY_A_TASK in reason
    return workflow["status"] == "FAILED" or is_by_itself


def is_left_open(workflow: Json) -> bool:
    """Whether an attempt still waits that was scheduled just as the workflow failed."""
    return any(task["status"] in ("SCHEDULED", "IN_PROGRESS") for task in _last_attempts(workflow))


def _last_attempts(workflow: Json) -> Sequence[Json]:
    """The last attempt of each step, by its reference."""
    tasks = sorted(workflow.get("tasks") or (), key=lambda t: t.get("seq") or 0)
    return list(
        {t["referenceTaskName"]: t for t in tasks if t.get("taskDefName") in STEP_NAMES}.values()
    )


def _is_final(task: Json, tasks: Sequence[Json]) -> bool:
    """Whether a last attempt has failed for good: by its own word, or as the last of its number."""
    if task["status"] == "FAILED_WITH_TERMINAL_ERROR":
        return True
    mine = [t for t in tasks if t["referenceTaskName"] == task["referenceTaskName"]]
    cancelled = sum(t["status"] == "CANCELED" for t in mine)
    has_failed = task["status"] in ("FAILED", "TIMED_OUT")
    retried = int(task.get("retryCount") or 0) - cancelled
    return has_failed and retried >= spec_of(task["taskDefName"]).retries

"""Runs a workflow again from a step on, or a new one where the server cannot continue."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from reflector_migrate.conductor.lost_tasks import put_back_lost_by_rerun
from reflector_migrate.conductor.start import start_anew
from reflector_migrate.errors import InputError, RefusedError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, spec_of
from reflector_migrate.pipeline.contracts import Run, Track

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]

UNDONE = ("FAILED", "FAILED_WITH_TERMINAL_ERROR", "TIMED_OUT", "CANCELED")
"""What the server gives out again of what lies before a rerun."""

YOUNG = 0.5
"""Share of a workflow's timeout after which there is too little left of it to run again."""


def rerun(harness: Harness, workflow_id: str, from_step: str) -> str:
    """Run a step and everything after it again; the id of the workflow that does.

    A track's step means all tracks. That is another workflow, which begins with the first
    step, where the server cannot do it (see `why_anew`); answers that are stored are not
    asked for again there either. Raises InputError, RefusedError while it still runs.
    """
    if from_step not in STEP_NAMES:
        raise InputError(f"unknown step {from_step!r}", hint=f"one of {', '.join(STEP_NAMES)}")
    with harness.conductor() as client:
        workflow = client.workflow(workflow_id)
        if workflow["status"] in ("RUNNING", "PAUSED"):
            raise RefusedError(
                f"workflow {workflow_id} is still running", hint="migrate watch shows how far it is"
            )
        task = _first_task(workflow, from_step)
        if reason := why_anew(workflow, task, time.time()):
            logger.warning("workflow %s cannot be run again: %s", workflow_id, reason)
            run = Run.model_validate(workflow["input"]["run"])
            tracks = [Track.model_validate(track) for track in workflow["input"]["tracks"]]
            return start_anew(harness, client, run, tracks, int(workflow.get("createTime") or 0))
        begun = client.rerun(workflow_id, str(task["taskId"]))
        try:
            put_back_lost_by_rerun(client, begun)
        except ServerUnreachableError as error:  # it has begun: whoever looks after it asks again
            logger.warning("workflow %s runs again, and was not seen: %s", begun, error.in_full)
        return begun


def why_anew(workflow: Json, task: Json, unix_s: float) -> str | None:
    """Why the server cannot run it again from a task; None if it can.

    A workflow's age counts from its start or its last retry, not from a rerun, so that an
    old one would time out at once. And a JOIN that was retried is kept by 3.32.3 under two
    names, of which a rerun removes one: the JOIN that follows is taken for scheduled
    already, and never is. Nor may an attempt before the task have failed, or been cancelled,
    although another one followed: 3.32.3 gives it out again, beside the task (seen: tracks
    that were padded again while their words were merged, and stayed behind).
    """
    begun = max(workflow.get("createTime") or 0, workflow.get("lastRetriedTime") or 0) / 1000
    timeout_s = (workflow.get("workflowDefinition") or {}).get("timeoutSeconds") or 0
    if timeout_s and unix_s - begun > YOUNG * timeout_s:
        return "it is too old"
    step = task.get("taskDefName")
    if step in STEP_NAMES and spec_of(step).service:
        return "its step's runs are limited"
    at = task.get("seq") or 0
    later = (t for t in workflow["tasks"] if (t.get("seq") or 0) > at)
    if any(t.get("taskType") == "JOIN" and t.get("retryCount") for t in later):
        return "a JOIN of it was retried"
    earlier = (t for t in workflow["tasks"] if (t.get("seq") or 0) < at)
    if any(t.get("status") in UNDONE for t in earlier):
        return "a step before it needed another attempt"
    return None


def _first_task(workflow: Json, step: str) -> Json:
    """Where a step is run again from: from itself, unless its row names another task.

    Padded tracks are deleted once heard: what needs them begins at the padding. And no branch
    of a fork is run again alone: a rerun removes what was scheduled later, be it the other
    branch, for which the JOIN then waits in vain. Nor is a step whose definition limits how
    many run at once: 3.32.3 schedules it and never gives it out (seen).
    """
    wanted = spec_of(step).rerun_from
    for task in workflow["tasks"]:
        if task["referenceTaskName"] == wanted or (not wanted and task["taskDefName"] == step):
            found: Json = task
            return found
    raise InputError(f"workflow {workflow['workflowId']} has not reached {step}")

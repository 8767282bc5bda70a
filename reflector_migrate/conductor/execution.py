"""What a workflow did, step by step, and the ways to have it do something again."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from reflector_migrate.clients.conductor import ConductorClient
from reflector_migrate.clients.conductor_http import NotFoundError
from reflector_migrate.conductor.pollers import task_queue_pollers
from reflector_migrate.conductor.retry_turn import retry_turn
from reflector_migrate.conductor.task_metadata import META, cause_of
from reflector_migrate.errors import RefusedError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, StepRun, Usage

__all__ = ["Execution", "read", "retry", "task_queue_pollers", "terminate"]

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]
Status = Literal["completed", "failed", "timed_out", "running", "missing"]
StepStatus = Literal["completed", "failed", "timed_out", "skipped", "running", "cancelled"]

WORKFLOW_STATUS: Mapping[str, Status] = {
    "RUNNING": "running",
    "PAUSED": "running",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "TERMINATED": "failed",
    "TIMED_OUT": "timed_out",
}
TASK_STATUS: Mapping[str, StepStatus] = {
    "SCHEDULED": "running",
    "IN_PROGRESS": "running",
    "COMPLETED": "completed",
    "COMPLETED_WITH_ERRORS": "failed",
    "FAILED": "failed",
    "FAILED_WITH_TERMINAL_ERROR": "failed",
    "TIMED_OUT": "timed_out",
    "CANCELED": "cancelled",
    "SKIPPED": "skipped",
}
FAILURE_WORKFLOW = "conductor.failure_workflow"
"""Where the server says in an output which other workflow it started, if it did."""
RETRIES_UNDONE = 5
WATCHED_S, LOOK_S = 1.0, 0.1
"""How long after a retry the server may still end the workflow over what failed before it."""


class Execution(NamedTuple):
    """A workflow as the server knows it; attempts in the order in which they were scheduled."""

    workflow_id: str
    status: Status
    step_runs: tuple[StepRun, ...] = ()
    reason: str | None = None
    run_id: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    failure_workflow: str | None = None
    was_terminated: bool = False

    @property
    def failed_steps(self) -> tuple[str, ...]:
        """Steps whose last attempt failed, optional ones of a completed workflow too."""
        last = {(s.name, s.track_index): s.status for s in self.step_runs}
        return tuple(dict.fromkeys(k[0] for k, v in last.items() if v in ("failed", "timed_out")))

    @property
    def has_finalized(self) -> bool:
        """Whether its transcript has ended, whatever became of what follows."""
        return any(s.name == "finalize" and s.status == "completed" for s in self.step_runs)


def read(harness: Harness, workflow_id: str) -> Execution:
    """The execution; status `missing` when the server does not have it.

    Raises ServerUnreachableError.
    """
    if not workflow_id:
        return Execution(workflow_id, "missing")
    with harness.conductor() as client:
        try:
            return execution_of(client.workflow(workflow_id))
        except NotFoundError:
            return Execution(workflow_id, "missing")


def execution_of(workflow: Json) -> Execution:
    """An execution from the server's own JSON."""
    return Execution(
        workflow_id=workflow["workflowId"],
        status=WORKFLOW_STATUS[workflow["status"]],
        step_runs=tuple(_step_runs(workflow.get("tasks") or ())),
        reason=workflow.get("reasonForIncompletion") or None,
        run_id=((workflow.get("input") or {}).get("run") or {}).get("run_id"),
        started=_moment(workflow.get("startTime") or workflow.get("createTime")),
        ended=_moment(workflow.get("endTime")),
        failure_workflow=(workflow.get("output") or {}).get(FAILURE_WORKFLOW),
        was_terminated=workflow["status"] == "TERMINATED",
    )


def retry(harness: Harness, workflow_id: str) -> None:
    """Run only what failed again; RefusedError when nothing did.

    A server may still be evaluating a JOIN over the failed task, and then ends the
    workflow again, although nothing new has failed. Such an end is undone. Of two processes that
    ask at once, the second is refused. Raises UnknownOutcomeError, ServerUnreachableError only of
    the retry itself, not of what is looked at after it.
    """
    with retry_turn(harness, workflow_id), harness.conductor() as client:
        workflow = client.workflow(workflow_id)
        if WORKFLOW_STATUS[workflow["status"]] == "running":
            raise RefusedError(f"workflow {workflow_id} is running, and cannot be retried")
        failures = _failures(workflow)
        _retry_once(client, workflow)
        try:
            if _keep_going(client, workflow_id, failures):
                return
        except ServerUnreachableError as error:  # it was accepted: it must not seem not to be
            logger.warning("workflow %s was retried, and not seen: %s", workflow_id, error.in_full)
            return
    raise RefusedError(
        f"workflow {workflow_id} ends again at once, without a step having failed",
        hint="repeat migrate retry, or look at it in Conductor's UI",
    )


def _keep_going(client: ConductorClient, workflow_id: str, failures: int) -> bool:
    """Retry up to some more times until it holds; whether it does."""
    for _ in range(RETRIES_UNDONE - 1):
        if _watch_retry(client, workflow_id, failures):
            return True
        try:
            _retry_once(client, client.workflow(workflow_id))
        except (RefusedError, NotFoundError) as error:  # another was faster: 3.32.3 says 404
            logger.info("workflow %s: %s", workflow_id, error.in_full)
    return _watch_retry(client, workflow_id, failures)


def _retry_once(client: ConductorClient, workflow: Json) -> None:
    """Retry it; one that cannot be retried begins with its first step, and its stored answers."""
    again = client.restart if is_join_ahead(workflow) else client.retry
    again(str(workflow["workflowId"]))


def is_join_ahead(workflow: Json) -> bool:
    """Whether a JOIN waits for a task that was never scheduled.

    3.32.3 answers the retry of such a workflow with an error, each time (HTTP 500, seen: a branch
    failed before the other one's fork was planned).
    """
    tasks = workflow.get("tasks") or ()
    scheduled = {task["referenceTaskName"] for task in tasks}
    joins = (task for task in tasks if task.get("taskType") == "JOIN")
    return any(not scheduled.issuperset(_joined(join)) for join in joins)


def _joined(join: Json) -> Sequence[str]:
    """References of the tasks that a JOIN waits for."""
    found: Sequence[str] = (join.get("inputData") or {}).get("joinOn") or ()
    return found


def _watch_retry(client: ConductorClient, workflow_id: str, failures: int) -> bool:
    """Whether a retry holds: not if the workflow ends again with no more failures than before."""
    until = time.monotonic() + WATCHED_S
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        workflow = client.workflow(workflow_id)
        if WORKFLOW_STATUS[workflow["status"]] not in ("running", "completed"):
            return _failures(workflow) > failures
    return True


def _failures(workflow: Json) -> int:
    runs = _step_runs(workflow.get("tasks") or ())
    return sum(1 for run in runs if run.status in ("failed", "timed_out"))


def terminate(harness: Harness, workflow_id: str, reason: str) -> None:
    """Stop a running workflow."""
    with harness.conductor() as client:
        client.terminate(workflow_id, reason)


def remove(harness: Harness, workflow_id: str) -> None:
    """Remove an ended workflow, and the one that its failure started, from the server."""
    failure = read(harness, workflow_id).failure_workflow
    with harness.conductor() as client:
        for known in filter(None, (failure, workflow_id)):
            with suppress(NotFoundError):
                client.remove(known)


def _step_runs(tasks: Sequence[Json]) -> Iterator[StepRun]:
    attempts: Counter[str] = Counter()
    for task in sorted(tasks, key=lambda t: t.get("seq") or 0):
        if _is_step(task):
            reference = task["referenceTaskName"]
            attempts[reference] += 1
            yield _step_run(task, attempts[reference])


def _is_step(task: Json) -> bool:
    """A worker's task, ours or an added one, not the server's own."""
    name, kind = task.get("taskDefName"), (task.get("workflowTask") or {}).get("type")
    return name in STEP_NAMES or (bool(name) and kind == "SIMPLE")


def _step_run(task: Json, attempt: int) -> StepRun:
    output = task.get("outputData") or {}
    meta = output.get(META) or {}
    status = TASK_STATUS.get(task["status"], "running")
    cause = cause_of(output, int(task.get("retryCount") or 0) + 1)
    return StepRun(
        name=task["taskDefName"],
        track_index=(task.get("inputData") or {}).get("track_index"),
        attempt=attempt,
        queued=_moment(task.get("scheduledTime")),
        started=_moment(task.get("startTime")),
        ended=_moment(task.get("endTime")),
        timed="measured",
        status=status,
        worker=task.get("workerId") or None,
        build=meta.get("build"),
        processors=meta.get("processors"),
        usage=_usage(meta),
        input_digest=meta.get("input_digest"),
        output_digest=meta.get("output_digest"),
        input_ref=_at_server(task, "input"),
        output_ref=_ref(output) or (_at_server(task, "output") if output else None),
        error=task.get("reasonForIncompletion") or None,
        cause=cause if status in ("failed", "timed_out") else None,
    )


def _usage(meta: Json) -> Usage:
    try:
        return Usage.model_validate(meta.get("usage") or {})
    except ValidationError:
        return Usage()


def _ref(output: Json) -> str | None:
    refs = [v["ref"] for v in output.values() if isinstance(v, Mapping) and "ref" in v]
    return str(refs[0]) if refs else None


def _at_server(task: Json, end: str) -> str | None:
    """Where Conductor keeps a task's input or output, for as long as it keeps the workflow."""
    workflow_id, task_id = task.get("workflowInstanceId"), task.get("taskId")
    return f"conductor:{workflow_id}/{task_id}/{end}" if workflow_id and task_id else None


def _moment(milliseconds: Any) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None

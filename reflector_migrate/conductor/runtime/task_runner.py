"""What every worker does around its step: identity, lease, failure class, result."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult
from conductor.client.http.models.task_result_status import TaskResultStatus

from reflector_migrate.conductor.task_domain import Identity
from reflector_migrate.conductor.task_metadata import (
    META,
    Cause,
    meta_of,
    spent_before,
    without_meta,
)
from reflector_migrate.errors import (
    MigrateError,
    OutageError,
    TerminalStepError,
    TransientStepError,
)
from reflector_migrate.harness import Harness
from reflector_migrate.model import Usage, spec_of
from reflector_migrate.pipeline.contracts import CONTRACTS
from reflector_migrate.pipeline.heartbeat_pool import Heartbeat
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.runner import StepResult
from reflector_migrate.settings import without_user

logger = logging.getLogger(__name__)

MAX_OUTPUT_BYTES = 64 * 1024
REASON_CHARS = 500
OUTAGE_S = 5
"""Seconds before a task postponed by a database outage is redelivered."""
QUERY_OF_URL = re.compile(r"(\w+://[^\s?'\"]+)\?[^\s'\"]+")

Execute = Callable[[str, Mapping[str, Any], Harness, Heartbeat, UsageMeter], StepResult]
Unless = Callable[[Harness, Mapping[str, Any]], bool]


def never(_harness: Harness, _raw_input: Mapping[str, Any]) -> bool:
    """Every task is to be done."""
    return False


class Fence(Protocol):
    """Whose turn it is, where a transcript may be served by either engine."""

    def is_open(self, step: str, raw_input: Mapping[str, Any]) -> bool:
        """The step may begin; OutageError when that cannot be known now."""

    def passed(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """The step has its output; must never raise."""


class NoFence:
    """Every step may begin: no other process serves what these workers serve."""

    def is_open(self, step: str, raw_input: Mapping[str, Any]) -> bool:
        """Always."""
        del step, raw_input
        return True

    def passed(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """Of no interest."""


class Watcher(Protocol):
    """Hears of a task's way through a worker; must never raise."""

    def started(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """An attempt begins."""

    def completed(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """The step has its output."""

    def failed(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """The last attempt failed."""


class TaskRunner:
    """Runs steps for one worker process."""

    def __init__(
        self,
        harness: Harness,
        who: Identity,
        execute: Execute,
        watcher: Watcher,
        lease: Callable[[Task], Heartbeat],
        fence: Fence | None = None,
    ) -> None:
        """`lease` gives the heartbeat with which a running step keeps its task."""
        self._harness = harness
        self._who = who
        self._execute = execute
        self._watcher = watcher
        self._lease = lease
        self._fence = fence or NoFence()
        self._meters: dict[str, UsageMeter] = {}
        self.on_usage: Callable[[], None] = lambda: None  # whoever writes down what runs

    def work(self, step: str, task: Task, unless: Unless = never) -> TaskResult:
        """Execute one task, `unless` it is not to be done, and say how it went; never raises."""
        lease = self._lease(task)  # it runs from now, however long the rest takes
        raw = _told_attempt(step, without_meta(task.input_data or {}), task)
        meter = UsageMeter(spent_before(task.output_data, attempt_of(task)), self.on_usage)
        self._meters[task.task_id] = meter
        try:
            if not self._fence.is_open(step, raw):
                return self._fenced_off(step, task, raw)
            if unless(self._harness, raw):
                return self._spared(step, task)
            self._watcher.started(step, raw)
            done = self._execute(step, raw, self._harness, lease, meter)
            _refuse_large(step, done.output)
        except OutageError as error:
            return self._postponed(step, task, error, meter.total)
        except Exception as error:  # whatever it was, the server must hear of it
            return self._failed(step, task, raw, error, meter.total)
        self._watcher.completed(step, raw)
        self._fence.passed(step, raw)
        meta = meta_of(self._who, attempt_of(task), step, done.usage)
        digests = {"input_digest": done.input_digest, "output_digest": done.output_digest}
        whose = {"processors": done.processors} if done.processors else {}
        output = {**done.output, META: {**meta, **digests, **whose}}
        return self._result(task, TaskResultStatus.COMPLETED, output)

    def cut_short(self, task: Task) -> Usage:
        """What an attempt that ends here had used: at least, as a call may be under way."""
        meter = self._meters.get(task.task_id)
        if meter is None:
            return spent_before(task.output_data, attempt_of(task))
        return meter.total.model_copy(update={"is_partial": True})

    def forget(self, task: Task) -> None:
        """Its result is handed in, or it went back into its queue."""
        self._meters.pop(task.task_id, None)

    def meta_of_unfinished(self, task: Task) -> dict[str, Any]:
        """What goes back into the queue with a task, for the next worker to add to."""
        meta = meta_of(self._who, attempt_of(task), task.task_def_name, self.cut_short(task))
        return {META: meta}

    def _failed(
        self, step: str, task: Task, raw: Mapping[str, Any], error: Exception, usage: Usage
    ) -> TaskResult:
        attempt, attempts = attempt_of(task), spec_of(step).attempts
        is_hopeless = isinstance(error, TerminalStepError)
        reason = f"attempt {attempt} of {attempts}: {reason_of(error)}"
        logger.warning("%s task=%s failed: %s", step, task.task_id, reason)
        if is_hopeless or attempt >= attempts:
            self._watcher.failed(step, raw)
        status = (
            TaskResultStatus.FAILED_WITH_TERMINAL_ERROR if is_hopeless else TaskResultStatus.FAILED
        )
        cause: Cause | None = "passing" if isinstance(error, TransientStepError) else None
        meta = meta_of(self._who, attempt, step, usage, cause)
        result = self._result(task, status, {META: meta})
        result.reason_for_incompletion = reason
        return result

    def _fenced_off(self, step: str, task: Task, raw: Mapping[str, Any]) -> TaskResult:
        """Another run serves the transcript: end this workflow, and publish nothing."""
        if raw.get("outcome") == "error":  # its failure workflow has nothing to say either
            return self._spared(step, task)
        reason = "not its turn: another run serves this transcript"
        logger.warning("%s task=%s %s", step, task.task_id, reason)
        meta = meta_of(self._who, attempt_of(task), step, Usage())
        status = TaskResultStatus.FAILED_WITH_TERMINAL_ERROR
        result = self._result(task, status, {META: meta})
        result.reason_for_incompletion = reason
        return result

    def _spared(self, step: str, task: Task) -> TaskResult:
        """Completed without having been begun; nothing is published."""
        logger.info("%s task=%s is not to be done", step, task.task_id)
        meta = meta_of(self._who, attempt_of(task), step, Usage())
        return self._result(task, TaskResultStatus.COMPLETED, {META: meta})

    def _postponed(self, step: str, task: Task, error: OutageError, usage: Usage) -> TaskResult:
        """Back into the queue for a while, at the cost of no attempt; its timeout goes on."""
        reason = f"waiting: {reason_of(error)}"
        logger.warning("%s task=%s %s", step, task.task_id, reason)
        meta = meta_of(self._who, attempt_of(task), step, usage, "outage")
        result = self._result(task, TaskResultStatus.IN_PROGRESS, {META: meta})
        result.reason_for_incompletion = reason
        result.callback_after_seconds = OUTAGE_S
        return result

    def _result(self, task: Task, status: TaskResultStatus, output: dict[str, Any]) -> TaskResult:
        return TaskResult(
            task_id=task.task_id,
            workflow_instance_id=task.workflow_instance_id,
            worker_id=self._who.worker_id,
            status=status,
            output_data=output,
        )


def _told_attempt(step: str, raw: dict[str, Any], task: Task) -> dict[str, Any]:
    """The input, with what the step's contract asks of attempts: how many before, and after."""
    number = attempt_of(task)
    told = {"attempt": number - 1, "is_last_attempt": number >= spec_of(step).attempts}
    asked = CONTRACTS[step].input.model_fields
    return {**raw, **{name: value for name, value in told.items() if name in asked}}


def attempt_of(task: Task) -> int:
    """Attempts so far, this one included."""
    return int(task.retry_count or 0) + 1


def reason_of(error: Exception) -> str:
    """What went wrong, without secrets or words of a transcript.

    Our own errors carry a message made for people; of anything else only the
    kind and place are named, as its message may quote the data.
    """
    if isinstance(error, MigrateError):
        text = without_user(QUERY_OF_URL.sub(r"\1", error.message))
        return text[:REASON_CHARS]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _refuse_large(step: str, output: Mapping[str, Any]) -> None:
    size_bytes = len(json.dumps(output).encode())
    if size_bytes > MAX_OUTPUT_BYTES:
        raise TerminalStepError(
            f"{step}: output of {size_bytes} bytes exceeds {MAX_OUTPUT_BYTES}; "
            "store large values and pass their address"
        )

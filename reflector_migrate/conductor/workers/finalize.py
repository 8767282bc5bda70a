"""Worker of the step finalize."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.premature_failure import resume_if_cut_short
from reflector_migrate.conductor.runtime.task_runner import TaskRunner
from reflector_migrate.harness import Harness


def finalize(task: Task, runner: TaskRunner) -> TaskResult:
    """Set the transcript's final status: `error` only if its workflow is really over."""
    return runner.work("finalize", task, unless=_resume_if_mistaken)


def _resume_if_mistaken(harness: Harness, raw: Mapping[str, Any]) -> bool:
    workflow_id = (raw.get("run") or {}).get("workflow_id")
    return raw.get("outcome") == "error" and resume_if_cut_short(harness, workflow_id or "")

"""Worker of the step generate_summary."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def generate_summary(task: Task, runner: TaskRunner) -> TaskResult:
    """Write the long and the short summary."""
    return runner.work("generate_summary", task)

"""Worker of the step generate_title."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def generate_title(task: Task, runner: TaskRunner) -> TaskResult:
    """Give the meeting a title from its topics."""
    return runner.work("generate_title", task)

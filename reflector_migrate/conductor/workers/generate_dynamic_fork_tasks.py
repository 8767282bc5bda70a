"""Worker of the step generate_dynamic_fork_tasks."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def generate_dynamic_fork_tasks(task: Task, runner: TaskRunner) -> TaskResult:
    """List one task per track for the dynamic fork that follows."""
    return runner.work("generate_dynamic_fork_tasks", task)

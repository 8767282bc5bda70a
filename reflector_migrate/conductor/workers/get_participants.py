"""Worker of the step get_participants."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def get_participants(task: Task, runner: TaskRunner) -> TaskResult:
    """Ask Daily who was in the meeting; name the speakers."""
    return runner.work("get_participants", task)

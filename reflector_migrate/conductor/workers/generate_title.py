"""Worker of the step generate_title."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import Harness


def generate_title(task: Task, harness: Harness) -> TaskResult:
    """Give the meeting a title from its topics."""
    return harness.work("generate_title", task)

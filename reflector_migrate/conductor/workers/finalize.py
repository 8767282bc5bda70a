"""Worker of the step finalize."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.workers.harness import Harness


def finalize(task: Task, harness: Harness) -> TaskResult:
    """Set the transcript's final status."""
    return harness.work("finalize", task)

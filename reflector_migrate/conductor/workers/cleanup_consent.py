"""Worker of the step cleanup_consent."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def cleanup_consent(task: Task, runner: TaskRunner) -> TaskResult:
    """Delete the audio when consent was denied."""
    return runner.work("cleanup_consent", task)

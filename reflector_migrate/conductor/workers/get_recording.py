"""Worker of the step get_recording."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def get_recording(task: Task, runner: TaskRunner) -> TaskResult:
    """Ask Daily for the recording; put the transcript's row to work."""
    return runner.work("get_recording", task)

"""Worker of the step pad_track."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def pad_track(task: Task, runner: TaskRunner) -> TaskResult:
    """Align one track with the meeting's start by leading silence."""
    return runner.work("pad_track", task)

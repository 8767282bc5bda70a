"""Worker of the step mixdown_tracks."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def mixdown_tracks(task: Task, runner: TaskRunner) -> TaskResult:
    """Mix all padded tracks into the meeting's audio."""
    return runner.work("mixdown_tracks", task)

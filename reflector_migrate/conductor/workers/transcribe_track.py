"""Worker of the step transcribe_track."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def transcribe_track(task: Task, runner: TaskRunner) -> TaskResult:
    """Recognise the speech of one track."""
    return runner.work("transcribe_track", task)

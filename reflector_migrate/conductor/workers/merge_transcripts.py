"""Worker of the step merge_transcripts."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def merge_transcripts(task: Task, runner: TaskRunner) -> TaskResult:
    """Merge the tracks' words by time, one speaker per track."""
    return runner.work("merge_transcripts", task)

"""Worker of the step mixdown_tracks."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import Harness


def mixdown_tracks(task: Task, harness: Harness) -> TaskResult:
    """Mix all padded tracks into the meeting's audio."""
    return harness.work("mixdown_tracks", task)

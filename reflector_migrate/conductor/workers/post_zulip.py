"""Worker of the step post_zulip."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def post_zulip(task: Task, runner: TaskRunner) -> TaskResult:
    """Post the transcript to the room's Zulip topic."""
    return runner.work("post_zulip", task)

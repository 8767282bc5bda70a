"""Worker of the step send_webhook."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def send_webhook(task: Task, runner: TaskRunner) -> TaskResult:
    """Tell the customer's webhook that the transcript is ready."""
    return runner.work("send_webhook", task)

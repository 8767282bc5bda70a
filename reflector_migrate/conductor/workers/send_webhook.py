"""Worker of the step send_webhook."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import Harness


def send_webhook(task: Task, harness: Harness) -> TaskResult:
    """Tell the customer's webhook that the transcript is ready."""
    return harness.work("send_webhook", task)

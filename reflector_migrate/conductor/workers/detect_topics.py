"""Worker of the step detect_topics."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def detect_topics(task: Task, runner: TaskRunner) -> TaskResult:
    """Find the topics of the meeting with the language model."""
    return runner.work("detect_topics", task)

"""Worker of the step generate_waveform."""

from __future__ import annotations

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner


def generate_waveform(task: Task, runner: TaskRunner) -> TaskResult:
    """Draw the waveform of the mixed audio."""
    return runner.work("generate_waveform", task)

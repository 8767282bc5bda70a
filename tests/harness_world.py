"""One task through one worker, with a step that does as it is asked."""

from __future__ import annotations

from conductor.client.http.models.task import Task

from reflector_migrate.conductor.runtime.task_runner import TaskRunner
from reflector_migrate.conductor.runtime.worker_registry import WORKERS
from reflector_migrate.conductor.task_domain import Identity
from reflector_migrate.harness import Harness
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.runner import StepResult
from reflector_migrate.settings import Settings

WHO = Identity("host", 7, "build1", "contract1")


class Watcher:
    """Remembers what it heard."""

    def __init__(self):
        self.told = []

    def started(self, *_about):
        """Hear of a beginning."""
        self.told.append("started")

    def completed(self, *_about):
        """Hear of an output."""
        self.told.append("completed")

    def failed(self, *_about):
        """Hear of an end."""
        self.told.append("failed")


def work(execute, step="finalize", retry_count=0, **inputs):
    """The result of one task, and what the watcher heard."""
    watcher = Watcher()
    runner = TaskRunner(Harness.of(Settings()), WHO, execute, watcher, lambda _task: lambda: None)
    task = Task(task_id="t", workflow_instance_id="w", input_data=inputs, retry_count=retry_count)
    return WORKERS[step](task, runner), watcher.told


def raising(error):
    """A step that fails, after having used something."""

    def execute(step, raw, settings, heartbeat, meter):
        meter.add(llm_tokens_in=5)
        raise error

    return execute


def answering(output):
    """A step that answers."""

    def execute(step, raw, settings, heartbeat, meter):
        return StepResult(output, Usage(llm_calls=2), "in", "out")

    return execute

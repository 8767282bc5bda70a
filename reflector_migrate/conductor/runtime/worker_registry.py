"""The fifteen workers by the name of their step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from conductor.client.http.models.task import Task
from conductor.client.http.models.task_result import TaskResult

from reflector_migrate.conductor.runtime.task_runner import TaskRunner
from reflector_migrate.model import STEP_NAMES

Worker = Callable[[Task, TaskRunner], TaskResult]


def _worker(step: str) -> Worker:
    worker: Worker = getattr(import_module(f"reflector_migrate.conductor.workers.{step}"), step)
    return worker


WORKERS: Mapping[str, Worker] = {step: _worker(step) for step in STEP_NAMES}

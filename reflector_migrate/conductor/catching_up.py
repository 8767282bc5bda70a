"""Tells listeners what no worker could: what the server decided by itself."""

from __future__ import annotations

from reflector_migrate.conductor.client import connected
from reflector_migrate.conductor.execution import Execution, execution_of
from reflector_migrate.conductor.http import NotFoundError
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.settings import Settings


def catch_up(settings: Settings, workflow_id: str) -> Execution:
    """The execution, its progress told as far as it was not yet; for whoever polls it anyway.

    Status `missing` when the server does not have it. Raises ServerUnreachableError.
    """
    if not workflow_id:
        return Execution(workflow_id, "missing")
    with connected(settings) as client:
        try:
            workflow = client.workflow(workflow_id)
        except NotFoundError:
            return Execution(workflow_id, "missing")
    execution = execution_of(workflow)
    run = Run.model_validate({**workflow["input"]["run"], "workflow_id": workflow_id})
    has_ended = execution.status != "running"
    Progress(settings).catch_up(run, execution.step_runs, has_ended=has_ended)
    return execution

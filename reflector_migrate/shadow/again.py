"""Has a candidate's workflow go on or run again, and its result collected anew."""

from __future__ import annotations

from reflector_migrate.errors import InputError
from reflector_migrate.settings import Settings
from reflector_migrate.store.runs import RunRecord, Runs


def retry(settings: Settings, run: RunRecord) -> str:
    """Only the failed step; returns the workflow's id. RefusedError when nothing failed."""
    from reflector_migrate.conductor.execution import retry as go_on

    workflow_id = _workflow_of(run)
    go_on(settings, workflow_id)
    _collect_again(settings, run)
    return workflow_id


def rerun(settings: Settings, run: RunRecord, step: str) -> str:
    """That step and all after it; returns the id of the workflow that does, perhaps another."""
    from reflector_migrate.conductor.rerunning import rerun as from_step

    workflow_id = from_step(settings, _workflow_of(run), step)
    _collect_again(settings, run, workflow_id)
    return workflow_id


def _workflow_of(run: RunRecord) -> str:
    if run.workflow_id is None:
        raise InputError(f"run {run.run_id} never started a workflow: {run.reason or run.state}")
    return run.workflow_id


def _collect_again(settings: Settings, run: RunRecord, workflow_id: str | None = None) -> None:
    from reflector_migrate.shadow.app import collect

    Runs(settings.store_url).update(run.run_id, "started", workflow_id=workflow_id)
    collect.apply_async(args=[run.run_id], countdown=settings.shadow.poll_s)

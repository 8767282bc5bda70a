"""Has a candidate's workflow go on or run again, and its result collected anew."""

from __future__ import annotations

from reflector_migrate.errors import InputError, RefusedError
from reflector_migrate.model import VISIBLE_STEPS
from reflector_migrate.settings import Settings
from reflector_migrate.store.runs import RunRecord, Runs


def retry(settings: Settings, run: RunRecord) -> str:
    """Only the failed step; returns the workflow's id. RefusedError when nothing failed."""
    from reflector_migrate.conductor.execution import retry as go_on
    from reflector_migrate.conductor.progress import Progress

    workflow_id = _ended_workflow_of(settings, run)
    Progress(settings).again(run.run_id, workflow_id)
    go_on(settings, workflow_id)
    _collect_again(settings, run)
    return workflow_id


def rerun(settings: Settings, run: RunRecord, step: str) -> str:
    """That step and all after it; returns the id of the workflow that does, perhaps another."""
    from reflector_migrate.conductor.progress import Progress
    from reflector_migrate.conductor.rerunning import PLANNED_BY
    from reflector_migrate.conductor.rerunning import rerun as from_step

    old_id = _ended_workflow_of(settings, run)
    begins = PLANNED_BY.get(step, step)
    first = begins if begins in VISIBLE_STEPS else "pad_track"
    Progress(settings).again(run.run_id, old_id, from_step=first)
    workflow_id = from_step(settings, old_id, step)
    _collect_again(settings, run, workflow_id)
    return workflow_id


def _ended_workflow_of(settings: Settings, run: RunRecord) -> str:
    from reflector_migrate.conductor.execution import read

    if run.workflow_id is None:
        raise InputError(f"run {run.run_id} never started a workflow: {run.reason or run.state}")
    if read(settings, run.workflow_id).status == "running":
        raise RefusedError(
            f"workflow {run.workflow_id} is still running",
            hint="migrate watch shows how far it is",
        )
    return run.workflow_id


def _collect_again(settings: Settings, run: RunRecord, workflow_id: str | None = None) -> None:
    from reflector_migrate.shadow.app import collect

    Runs(settings.store_url).update(run.run_id, "started", workflow_id=workflow_id)
    collect.apply_async(args=[run.run_id], countdown=settings.shadow.poll_s)

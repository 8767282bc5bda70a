"""Continues or repeats a candidate's workflow, and has its result collected again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reflector_migrate.errors import InputError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, VISIBLE_STEPS, spec_of
from reflector_migrate.model.run_life import RunState
from reflector_migrate.shadow.process import Send
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord

if TYPE_CHECKING:
    from reflector_migrate.conductor.execution import Execution

MOVES = 5
"""How often a run is read again because a collector moved it on in between."""


def retry(harness: Harness, run: RunRecord, send: Send) -> str:
    """Only the failed step; returns the workflow's id. RefusedError when nothing failed."""
    from reflector_migrate.conductor.execution import retry as go_on
    from reflector_migrate.shadow.recover.reopen import taken_up

    ended = _ended_workflow_of(harness, run)
    if ended.status == "completed":
        raise RefusedError(
            f"workflow {ended.workflow_id} has completed", hint="migrate rerun --from runs it again"
        )
    with taken_up(harness, run, has_end_ahead=not ended.has_finalized):
        go_on(harness, ended.workflow_id)
    _collect_again(harness, run, send)
    return ended.workflow_id


def rerun(harness: Harness, run: RunRecord, step: str, send: Send) -> str:
    """That step and all after it; returns the id of the workflow that does, perhaps another."""
    from reflector_migrate.conductor.rerunning import rerun as from_step
    from reflector_migrate.shadow.observe.attempts import keep
    from reflector_migrate.shadow.recover.reopen import taken_up

    if step not in STEP_NAMES:
        raise InputError(f"unknown step {step!r}", hint=f"one of {', '.join(STEP_NAMES)}")
    ended = _ended_workflow_of(harness, run)
    old_id, begins = ended.workflow_id, spec_of(step).rerun_from or step
    first = begins if begins in VISIBLE_STEPS else "pad_track"
    if first not in {done.name for done in ended.step_runs}:
        raise InputError(f"workflow {old_id} has not reached {step}")
    keep(harness, run.run_id, ended.step_runs)  # the server forgets what it runs again
    with taken_up(harness, run, first, has_end_ahead=not spec_of(step).is_after_end):
        workflow_id = from_step(harness, old_id, step)
    _collect_again(harness, run, send, workflow_id)
    return workflow_id


def _ended_workflow_of(harness: Harness, run: RunRecord) -> Execution:
    from reflector_migrate.conductor.execution import read

    if run.erase_at is not None:
        raise RefusedError(
            f"run {run.run_id} was erased: the primary's recording or its audio was deleted",
            hint="its stored comparison stays; it cannot run again",
        )
    if run.workflow_id is None:
        raise InputError(f"run {run.run_id} never started a workflow: {run.reason or run.state}")
    found = read(harness, run.workflow_id)
    if found.status == "missing":
        raise InputError(f"the server no longer has workflow {run.workflow_id}")
    if found.status == "running":
        raise RefusedError(
            f"workflow {run.workflow_id} is still running",
            hint="migrate watch shows how far it is",
        )
    return found


def _collect_again(
    harness: Harness, run: RunRecord, send: Send, workflow_id: str | None = None
) -> None:
    """Have it collected; a collector that was at it meanwhile has to let go."""
    runs, at = harness.runs, now()
    values = {"workflow_id": workflow_id} if workflow_id else {}
    for _ in range(MOVES):
        known = runs.by_id(run.run_id)
        if known is None:
            return
        moved = runs.move(known, RunState.STARTED, until=at, outcome=None, **values)
        if moved is not None:
            send(moved, harness.settings.shadow.poll_s)
            return

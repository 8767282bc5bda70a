"""A run that is worked on again says so, as when legacy processes a transcript again."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from reflector_migrate.clients.conductor_http import NotFoundError, UnknownOutcomeError
from reflector_migrate.conductor.execution import read
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.errors import (
    InputError,
    MigrateError,
    RefusedError,
    ServerUnreachableError,
)
from reflector_migrate.harness import Harness
from reflector_migrate.model.run_life import RunState
from reflector_migrate.pipeline.context import StepContext, build_context
from reflector_migrate.pipeline.publish import tell
from reflector_migrate.pipeline.rows.reopening import Before, put_back, reopen
from reflector_migrate.shadow.observe.candidate import run_of
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord

log = logging.getLogger(__name__)

TOLD_WITHIN_S, LOOK_S = 35.0, 0.2
"""How long to wait for a failure to be written and published; finalize may draw first."""

NOT_BEGUN = (InputError, NotFoundError, RefusedError, ServerUnreachableError)
"""What says that the server did not do it, unless the outcome is unknown."""


@contextmanager
def taken_up(
    harness: Harness, run: RunRecord, from_step: str | None = None, *, has_end_ahead: bool = True
) -> Iterator[None]:
    """Before the block, which asks the server, the run is `started` and its states come again.

    With an end ahead of it the transcript is `processing` too, column and broadcast. All is as
    it was if the server surely did not begin; if unknown, the collector will find out. No
    step may be at work. A failure that is yet to be published is waited for, so that it is
    not attributed to what has begun again. Raises TerminalStepError when the transcript is gone.
    """
    ctx = build_context(run_of(harness.settings, run), harness)
    if has_end_ahead:
        _wait_until_told(harness, ctx)
    Progress(harness).again(run.run_id, run.workflow_id or "", from_step=from_step)
    _start_again(harness, run)
    before = _processing(ctx) if has_end_ahead else None
    try:
        yield
    except MigrateError as error:
        if _has_not_begun(harness, run, error):
            _put_back(harness, ctx, run, before)
        raise


def _start_again(harness: Harness, run: RunRecord) -> None:
    """Mark the run as `started`; its message is overdue, and so sent by the sweep, if we die."""
    runs = harness.runs
    known = runs.by_id(run.run_id)
    if known is None or runs.move(known, RunState.STARTED, until=now()) is None:
        raise RefusedError(f"run {run.run_id} has just been moved on", hint="try again")


def _processing(ctx: StepContext) -> Before:
    before = reopen(ctx.rows, ctx.run.transcript_id)
    tell(ctx, "STATUS", {"value": "processing"})
    return before


def _put_back(harness: Harness, ctx: StepContext, run: RunRecord, before: Before | None) -> None:
    runs = harness.runs
    taken = runs.by_id(run.run_id)
    if taken is not None and taken.state == RunState.STARTED:
        runs.move(taken, run.state, reason=run.reason, is_reopenable=run.is_reopenable)
    if before is not None and put_back(ctx.rows, run.transcript_id, before):
        tell(ctx, "STATUS", {"value": before.status})


def _has_not_begun(harness: Harness, run: RunRecord, error: MigrateError) -> bool:
    """A server also refuses what another has it do already; then the workflow runs."""
    if isinstance(error, UnknownOutcomeError) or not isinstance(error, NOT_BEGUN):
        return False
    try:
        return read(harness, run.workflow_id or "").status != "running"
    except MigrateError:
        return True


def _wait_until_told(harness: Harness, ctx: StepContext) -> None:
    until = time.monotonic() + TOLD_WITHIN_S
    while not _is_told(harness, ctx):
        if time.monotonic() > until:
            log.warning("transcript %s: its end was never published", ctx.run.transcript_id)
            return
        time.sleep(LOOK_S)


def _is_told(harness: Harness, ctx: StepContext) -> bool:
    """Whether the end stands in the row; and a failure, which nothing waits for, went out too."""
    status = ctx.rows.get_transcript(ctx.run.transcript_id).status
    if status != "error":
        return status != "processing"
    told = harness.events.of(ctx.run.run_id, family="ts:STATUS:")
    return bool(told) and told[-1].data["value"] == status

"""A failure that nobody tells: row and listeners hear of it from whoever looks after the run.

A workflow that fails starts another, which sets `error`. One that a person terminates starts
none, and that other can be lost: then it is told here, once, whoever else comes to it too.
One that did its work and told nothing has a fault, which is not mended here: it is to be seen.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from reflector_migrate.pipeline.context import StepContext, build_context
from reflector_migrate.pipeline.publish import tell
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.recover.reopen import run_of
from reflector_migrate.store.clock import now
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.runs import RunRecord, Runs

if TYPE_CHECKING:
    from reflector_migrate.conductor.execution import Execution
    from reflector_migrate.pipeline.rows import TranscriptRow

log = logging.getLogger(__name__)

FOR_ANOTHER = timedelta(seconds=60)
"""How long the workflow that was started for the failure may take to tell it."""

FOR_STRAGGLERS = timedelta(seconds=15)
"""How long a step that was at work may take to hear that it was given up: it may set a status."""

AN_END = ("error", "ended")


def is_untold(settings: Settings, run: RunRecord, execution: Execution) -> bool:
    """Whether a failed workflow's row does not say so yet, and still will.

    After a while nobody else will say it, and it is said here, unless the workflow for it
    completed. What fails after the transcript's end is no failure of its; neither is a row of
    this run's that a later run of the recording has taken over. Raises ServerUnreachableError.
    """
    if execution.status not in ("failed", "timed_out") or execution.ended is None:
        return False
    ctx = build_context(run_of(settings, run), settings)
    row = ctx.rows.find_transcript(run.transcript_id)
    if row is None or row.status in AN_END or execution.has_finalized:
        return False
    again = EventLog(settings.store_url).last_again(run.run_id)
    was_followed = _was_followed(settings, execution)
    is_coming = execution.failure_workflow is not None and not was_followed
    # an end that is older than a retry by hand: its server may not have been asked yet
    is_earlier = again is not None and again > execution.ended
    patience = FOR_ANOTHER if is_coming or is_earlier else FOR_STRAGGLERS
    if now() - max(execution.ended, again or execution.ended) < patience:
        return True
    if not was_followed and _is_latest(settings, run):
        _say(ctx, again)
    return False


def _was_followed(settings: Settings, execution: Execution) -> bool:
    """Whether the workflow that the server started for the failure has done all it does."""
    from reflector_migrate.conductor.execution import read

    followed_by = execution.failure_workflow
    return followed_by is not None and read(settings, followed_by).status == "completed"


def _is_latest(settings: Settings, run: RunRecord) -> bool:
    latest = Runs(settings.store_url).latest(run.recording_id)
    return latest is None or latest.run_id == run.run_id


def _say(ctx: StepContext, again: datetime | None) -> None:
    """`error`, unless somebody ended it, or took it up again, meanwhile."""

    def change(row: TranscriptRow) -> tuple[dict[str, Any], bool]:
        is_taken_up = EventLog(ctx.settings.store_url).last_again(ctx.run.run_id) != again
        if row.status in AN_END or is_taken_up:  # which marks first and reopens the row then
            return {}, False
        event = {"event": "STATUS", "data": {"value": "error"}}
        kept = [one for one in row.events if one != event]
        return {"status": "error", "events": [*kept, event]}, True

    if ctx.rows.change(ctx.run.transcript_id, change):
        tell(ctx, "STATUS", {"value": "error"})
        log.warning("transcript %s: status error, which nobody told", ctx.run.transcript_id)

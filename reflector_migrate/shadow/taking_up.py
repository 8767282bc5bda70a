"""A transcript that is worked on again says so, as when legacy processes one again."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from reflector_migrate.pipeline.context import StepContext, build_context
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.telling import tell
from reflector_migrate.settings import Settings
from reflector_migrate.store.runs import RunRecord

log = logging.getLogger(__name__)

TOLD_WITHIN_S, LOOK_S = 35.0, 0.2
"""How long a failure may still be on its way into the row: a drawing precedes it."""


@contextmanager
def taken_up(settings: Settings, run: RunRecord) -> Iterator[None]:
    """Status `processing` before the block, column and broadcast; as it was if the block fails.

    No step may be at work. A failure that is still to be told is waited for, lest it be told
    of what has begun again. Raises TerminalStepError when the transcript is gone.
    """
    ctx = build_context(_run_of(settings, run), settings)
    _wait_until_told(ctx)
    status, events = ctx.rows.reopen(run.transcript_id)
    tell(ctx, "STATUS", {"value": "processing"})
    try:
        yield
    except BaseException:
        ctx.rows.update_transcript(run.transcript_id, status=status, events=[*events])
        tell(ctx, "STATUS", {"value": status})
        raise


def _wait_until_told(ctx: StepContext) -> None:
    until = time.monotonic() + TOLD_WITHIN_S
    while ctx.rows.get_transcript(ctx.run.transcript_id).status == "processing":
        if time.monotonic() > until:
            log.warning("transcript %s: its end was never told", ctx.run.transcript_id)
            return
        time.sleep(LOOK_S)


def _run_of(settings: Settings, run: RunRecord) -> Run:
    return Run.model_validate(
        {
            "run_id": run.run_id,
            "recording_id": run.recording_id,
            "transcript_id": run.transcript_id,
            "namespace": run.namespace,
            "bucket_name": settings.candidate.tracks_bucket,
            "workflow_id": run.workflow_id,
        }
    )

"""Ends a transcript, well or badly."""

from __future__ import annotations

import logging

from reflector_migrate.errors import StepError
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import FinalizeInput, FinalizeOutput, WaveformInput
from reflector_migrate.pipeline.steps.generate_waveform import generate_waveform
from reflector_migrate.pipeline.steps.mixdown_tracks import audio_key
from reflector_migrate.pipeline.telling import tell
from reflector_migrate.pipeline.working import tidy

log = logging.getLogger(__name__)


def finalize(task: FinalizeInput, ctx: StepContext) -> FinalizeOutput:
    """Status `ended`, or `error` when the workflow failed: column, event and broadcast.

    Title, summaries and duration stand in the row already; nothing here writes them again.
    """
    if task.outcome == "error" and ctx.is_retried:
        _draw_what_was_cancelled(ctx)
    tidy(ctx)
    ctx.rows.set_status(ctx.run.transcript_id, task.outcome)
    tell(ctx, "STATUS", {"value": task.outcome})
    return FinalizeOutput(transcript_status=task.outcome)


def _draw_what_was_cancelled(ctx: StepContext) -> None:
    """WAVEFORM before `error`, as legacy, which draws before it has anything recognised.

    The workflow does both at once: a track that fails for good cancels the drawing. A
    worker that still draws keeps the same event in the same place.
    """
    kept = {event["event"] for event in ctx.rows.get_transcript(ctx.run.transcript_id).events}
    if "DURATION" not in kept or "WAVEFORM" in kept:
        return
    try:
        generate_waveform(WaveformInput(run=ctx.run, audio_key=audio_key(ctx.run)), ctx)
    except StepError as error:
        log.warning("no waveform before the error: %s", error.message)

"""Ends a transcript, well or badly."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from reflector_migrate.errors import StepError, TransientStepError
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import FinalizeInput, FinalizeOutput, WaveformInput
from reflector_migrate.pipeline.heartbeat_pool import Heartbeat
from reflector_migrate.pipeline.publish import tell
from reflector_migrate.pipeline.steps.generate_waveform import generate_waveform
from reflector_migrate.pipeline.steps.mixdown_tracks import audio_key
from reflector_migrate.pipeline.work_dir import tidy

log = logging.getLogger(__name__)

DRAWING_S = 30.0
"""How long a drawing may keep an error back: half of the step's time."""


def finalize(task: FinalizeInput, ctx: StepContext) -> FinalizeOutput:
    """Status `ended`, or `error` when the workflow failed: column, event and broadcast.

    Title, summaries and duration stand in the row already; nothing here writes them again.
    """
    if task.outcome == "error" and ctx.is_retried:
        _draw_what_was_cancelled(ctx)
    ctx.heartbeat()  # refuses a straggler: its transcript may have been taken up again
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
    hurried = replace(ctx, heartbeat=_hurried(ctx.heartbeat))
    try:
        generate_waveform(WaveformInput(run=ctx.run, audio_key=audio_key(ctx.run)), hurried)
    except _GivenUpError as refusal:
        raise refusal.args[0] from None
    except StepError as error:
        log.warning("no waveform before the error: %s", error.in_full)


class _GivenUpError(Exception):
    """Holds what the engine reported, apart from what can go wrong with a drawing."""


def _hurried(heartbeat: Heartbeat) -> Heartbeat:
    """The same, until the drawing's time is over."""
    ends_s = time.monotonic() + DRAWING_S

    def beat() -> None:
        try:
            heartbeat()
        except StepError as error:
            raise _GivenUpError(error) from error
        if time.monotonic() > ends_s:
            raise TransientStepError(f"not drawn within {DRAWING_S:g} s")

    return beat

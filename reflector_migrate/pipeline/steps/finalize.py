"""Ends a transcript, well or badly."""

from __future__ import annotations

from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import FinalizeInput, FinalizeOutput
from reflector_migrate.pipeline.telling import tell


def finalize(task: FinalizeInput, ctx: StepContext) -> FinalizeOutput:
    """Status `ended`, or `error` when the workflow failed: column, event and broadcast.

    Title, summaries and duration stand in the row already; nothing here writes them again.
    """
    ctx.rows.set_status(ctx.run.transcript_id, task.outcome)
    tell(ctx, "STATUS", {"value": task.outcome})
    return FinalizeOutput(transcript_status=task.outcome)

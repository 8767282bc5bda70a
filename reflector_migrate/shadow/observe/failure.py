"""Whether a failed workflow's transcript says so: what is read of it, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.context import build_context
from reflector_migrate.shadow.observe.candidate import run_of
from reflector_migrate.store.runs import RunRecord

if TYPE_CHECKING:
    from reflector_migrate.conductor.execution import Execution

FOR_ANOTHER = timedelta(seconds=60)
"""How long the workflow that was started for the failure may take to set `error`."""

FOR_STRAGGLERS = timedelta(seconds=15)
"""How long a step that was at work may take to notice its end: it may set a status."""

AN_END = ("error", "ended")


class Outlook(StrEnum):
    """Of a failure's `error`: set or not wanted, still to come, or ours to set."""

    NONE = "none"
    COMING = "coming"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class FailureView:
    """A failed workflow, and what its transcript's row says of it."""

    ended: datetime
    row_status: str | None
    has_finalized: bool
    has_follower: bool
    was_followed: bool
    is_latest: bool
    again_at: datetime | None = None


def failure_view(harness: Harness, run: RunRecord, execution: Execution) -> FailureView | None:
    """None unless the workflow failed. Raises MigrateError."""
    if execution.status not in ("failed", "timed_out") or execution.ended is None:
        return None
    row = build_context(run_of(harness.settings, run), harness).rows.find_transcript(
        run.transcript_id
    )
    latest = harness.runs.latest(run.recording_id)
    return FailureView(
        ended=execution.ended,
        row_status=row.status if row else None,
        has_finalized=execution.has_finalized,
        has_follower=execution.failure_workflow is not None,
        was_followed=_was_followed(harness, execution),
        is_latest=latest is None or latest.run_id == run.run_id,
        again_at=harness.events.last_again(run.run_id),
    )


def outlook(seen: FailureView | None, now: datetime) -> Outlook:
    """Whether `error` is still to come, and from whom.

    What fails after the transcript's end is not its failure, nor is a row of this run that a
    later run of the recording has taken over.
    """
    if seen is None or seen.has_finalized or seen.row_status in (None, *AN_END):
        return Outlook.NONE
    is_coming = seen.has_follower and not seen.was_followed
    # an end that is older than a manual retry: its server may not have been asked yet
    is_earlier = seen.again_at is not None and seen.again_at > seen.ended
    patience = FOR_ANOTHER if is_coming or is_earlier else FOR_STRAGGLERS
    if now - max(seen.ended, seen.again_at or seen.ended) < patience:
        return Outlook.COMING
    return Outlook.NONE if seen.was_followed or not seen.is_latest else Outlook.OURS


def _was_followed(harness: Harness, execution: Execution) -> bool:
    """Whether the workflow that the server started for the failure has done all it does."""
    from reflector_migrate.conductor.execution import read

    followed_by = execution.failure_workflow
    return followed_by is not None and read(harness, followed_by).status == "completed"

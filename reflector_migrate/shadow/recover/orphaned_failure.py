"""Sets status `error` when a failed workflow's own failure handler never did.

A workflow that fails starts another, which sets `error`. One that a person terminates starts
none, and that other can be lost: then the collector sets it, once. A failure workflow that
completed and set nothing has a fault, which is not mended here: the comparison has to show it.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.context import build_context
from reflector_migrate.pipeline.publish import tell
from reflector_migrate.shadow.observe.candidate import run_of
from reflector_migrate.shadow.observe.failure import AN_END
from reflector_migrate.store.runs import RunRecord

if TYPE_CHECKING:
    from reflector_migrate.pipeline.rows import TranscriptRow

log = logging.getLogger(__name__)


def say_error(harness: Harness, run: RunRecord, again_at: datetime | None) -> None:
    """Set and publish `error`, unless the row was ended, or the run retried, meanwhile."""
    ctx = build_context(run_of(harness.settings, run), harness)

    def change(row: TranscriptRow) -> tuple[dict[str, Any], bool]:
        is_taken_up = harness.events.last_again(run.run_id) != again_at
        if row.status in AN_END or is_taken_up:  # which marks first and reopens the row then
            return {}, False
        event = {"event": "STATUS", "data": {"value": "error"}}
        kept = [one for one in row.events if one != event]
        return {"status": "error", "events": [*kept, event]}, True

    if ctx.rows.change(run.transcript_id, change):
        tell(ctx, "STATUS", {"value": "error"})
        log.warning("transcript %s: status error set by the collector", run.transcript_id)

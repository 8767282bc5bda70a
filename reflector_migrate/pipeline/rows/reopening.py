"""A transcript that is worked on again: `processing`, and as it was if it is not after all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from reflector_migrate.pipeline.rows.records import Json, TranscriptRow
from reflector_migrate.pipeline.rows.rows import Rows


class Before(NamedTuple):
    """What a transcript said of itself before it was reopened."""

    status: str | None
    events: Sequence[Json]


def reopen(rows: Rows, transcript_id: str) -> Before:
    """Status `processing`, without the STATUS event of an earlier end; what there was."""

    def change(row: TranscriptRow) -> tuple[dict[str, Any], Before]:
        events = [event for event in row.events if not _is_status(event)]
        return {"status": "processing", "events": events}, Before(row.status, row.events)

    return rows.change(transcript_id, change)


def put_back(rows: Rows, transcript_id: str, before: Before) -> bool:
    """The status and STATUS events that `reopen` took; events that came since stay.

    False, and nothing is changed, once the transcript is no longer `processing`.
    """

    def change(row: TranscriptRow) -> tuple[dict[str, Any], bool]:
        if row.status != "processing":
            return {}, False
        events = [event for event in row.events if not _is_status(event)]
        for place, event in enumerate(before.events):
            if _is_status(event):
                events.insert(place, event)
        return {"status": before.status, "events": events}, True

    return rows.change(transcript_id, change)


def _is_status(event: Json) -> bool:
    return bool(event["event"] == "STATUS")

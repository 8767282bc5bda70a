"""Resets a transcript, and asks Daily about the recording."""

from __future__ import annotations

import logging

from reflector_migrate.errors import StepError
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import GetRecordingInput, GetRecordingOutput
from reflector_migrate.pipeline.publish import tell
from reflector_migrate.pipeline.services.daily import DailyRecording

log = logging.getLogger(__name__)


def get_recording(task: GetRecordingInput, ctx: StepContext) -> GetRecordingOutput:
    """Status `processing`, published; events, topics, participants, captions emptied.

    Daily may fail: the recording then goes on without names, as with legacy. (The client's
    own second try stands in for the engine's retries, which would end in a failed workflow.)
    """
    ctx.heartbeat()  # refuses a worker that froze until another had done this, and more
    ctx.rows.update_transcript(ctx.run.transcript_id, status="processing")
    tell(ctx, "STATUS", {"value": "processing"})
    ctx.rows.reset(ctx.run.transcript_id)
    return look_up(task, ctx)


def look_up(task: GetRecordingInput, ctx: StepContext) -> GetRecordingOutput:
    """What Daily and the row know of the recording; writes nothing."""
    transcript = ctx.rows.get_transcript(ctx.run.transcript_id)
    known = _ask_daily(task.recording_id, ctx)
    return GetRecordingOutput(
        id=task.recording_id,
        mtg_session_id=known.session_id,
        room_name=known.room_name,
        duration=known.duration,
        source_language=transcript.source_language,
        target_language=transcript.target_language,
    )


def _ask_daily(recording_id: str, ctx: StepContext) -> DailyRecording:
    try:
        return ctx.daily.recording(recording_id)
    except StepError as error:
        log.warning("recording %s goes on without Daily: %s", recording_id, error)
        return DailyRecording()

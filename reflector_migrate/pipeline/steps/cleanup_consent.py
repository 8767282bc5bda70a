"""Deletes the audio of a meeting in which a participant refused consent."""

from __future__ import annotations

import logging
from collections.abc import Callable

from reflector_migrate.errors import StepError, TransientStepError
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import ConsentInput, ConsentOutput
from reflector_migrate.pipeline.rows import RecordingRow
from reflector_migrate.pipeline.steps.mixdown_tracks import AUDIO
from reflector_migrate.pipeline.work_dir import clear

log = logging.getLogger(__name__)


def cleanup_consent(task: ConsentInput, ctx: StepContext) -> ConsentOutput:
    """Raw tracks, mixed recording, what is local; `audio_deleted` only if all are gone.

    One refusal is enough. What could not be deleted fails the step after all else was tried, so
    that an engine tries again; the monolith logs it and leaves `audio_deleted` unset.
    """
    transcript = ctx.rows.get_transcript(task.transcript_id)
    recording = ctx.rows.get_recording(transcript.recording_id or ctx.run.recording_id)
    if recording is None or recording.meeting_id is None:
        return ConsentOutput(audio_deleted=False, reason="no meeting")
    if all(consent.consent_given for consent in ctx.rows.consents(recording.meeting_id)):
        return ConsentOutput(audio_deleted=False, reason="nobody refused")
    deleted, failed = _delete_all(recording, ctx)
    if failed and ctx.is_retried:
        raise TransientStepError(f"consent was refused, but {failed} objects are still there")
    if not failed:
        ctx.rows.update_transcript(task.transcript_id, audio_deleted=True)
    return ConsentOutput(audio_deleted=not failed, reason="consent refused", deleted=deleted)


def _delete_all(recording: RecordingRow, ctx: StepContext) -> tuple[tuple[str, ...], int]:
    mixed = f"{ctx.run.transcript_id}/{AUDIO}"
    deletions: list[tuple[str, Callable[[], None]]] = [
        (key, _track(ctx, recording.bucket_name, key)) for key in recording.track_keys or ()
    ]
    deletions.append((mixed, lambda: ctx.effects.delete_media(mixed)))
    deletions.append(("", lambda: ctx.effects.delete_local(ctx.local(AUDIO))))
    deletions.append(("", lambda: clear(ctx)))
    done = [(key, _tried(delete)) for key, delete in deletions]
    deleted = tuple(key for key, is_gone in done if is_gone and key)
    return deleted, sum(not is_gone for _, is_gone in done)


def _track(ctx: StepContext, bucket: str, key: str) -> Callable[[], None]:
    return lambda: ctx.effects.delete_track(bucket, key)


def _tried(delete: Callable[[], None]) -> bool:
    try:
        delete()
    except (StepError, OSError) as error:
        log.warning("audio without consent could not be deleted: %s", error)
        return False
    return True

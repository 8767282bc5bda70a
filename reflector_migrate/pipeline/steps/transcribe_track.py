"""Has one track recognised."""

from __future__ import annotations

from typing import Any

from reflector_migrate.pipeline.cache import Costed
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import Ref, TranscribeTrackInput, TranscribeTrackOutput


def transcribe_track(task: TranscribeTrackInput, ctx: StepContext) -> TranscribeTrackOutput:
    """The track's words {text, start, end}, stored; recognised once for the same sound."""
    if ctx.cache.is_on:
        question = _question(task, ctx)
        words = ctx.cache.remember("recogniser", question, lambda: _recognised(task, ctx))
    else:
        words = _recognised(task, ctx).value
    stored = ctx.artifacts.put(
        ctx.run.run_id, "transcribe_track", f"track_{task.track_index}", words
    )
    return TranscribeTrackOutput(track_index=task.track_index, words=Ref(**stored._asdict()))


def _recognised(task: TranscribeTrackInput, ctx: StepContext) -> Costed:
    url = ctx.storage.presign(task.audio_url, ctx.settings.services.presign_s)
    return Costed(*ctx.recogniser.transcribe(url, task.language))


def _question(task: TranscribeTrackInput, ctx: StepContext) -> dict[str, Any]:
    services = ctx.settings.services
    return {
        "audio_sha256": task.audio_sha256 or ctx.storage.checksum(task.audio_url).sha256,
        "language": task.language,
        "service": services.transcript_url,
        "model": services.transcript_model,
    }

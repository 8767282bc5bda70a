"""Mixes the padded tracks into the recording people listen to."""

from __future__ import annotations

from reflector_migrate.pipeline import audio
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import MixdownInput, MixdownOutput, Run
from reflector_migrate.pipeline.fork_inputs import require_all
from reflector_migrate.pipeline.publish import keep_and_tell
from reflector_migrate.pipeline.work_dir import working

AUDIO = "audio.mp3"


def mixdown_tracks(task: MixdownInput, ctx: StepContext) -> MixdownOutput:
    """`<transcript_id>/audio.mp3` in S3 and in the data folder; DURATION in milliseconds.

    A track that cannot be decoded is left out, and the output says which; one that is not there
    ends the step.
    """
    tracks = task.padded_urls
    require_all(tracks, task.expected)
    expires_s = ctx.settings.services.presign_s
    sources = [ctx.storage.presign(track.padded_url, expires_s) for track in tracks]
    out = ctx.local(AUDIO)
    with working(ctx) as folder:
        unfinished = folder / AUDIO
        mixed = audio.mixdown(sources, unfinished, progress=lambda _done_s: ctx.heartbeat())
        unfinished.replace(out)
    ctx.meter.add(s3_requests=len(tracks), s3_bytes=sum(track.size for track in tracks))
    keep_and_tell(ctx, "DURATION", {"duration": mixed.duration_ms}, duration=mixed.duration_ms)
    key = audio_key(ctx.run)
    stored = ctx.effects.put_media(key, out)
    ctx.rows.update_transcript(ctx.run.transcript_id, audio_location="storage")
    return MixdownOutput(
        audio_key=key,
        duration=mixed.duration_ms,
        size=stored.size_bytes,
        sha256=stored.sha256,
        skipped_tracks=tuple(tracks[skip.index].track_index for skip in mixed.skipped),
    )


def audio_key(run: Run) -> str:
    """The object key of a run's mixed recording."""
    return f"{run.transcript_id}/{AUDIO}"

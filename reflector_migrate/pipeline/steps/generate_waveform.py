"""Draws the mixed recording."""

from __future__ import annotations

import json

from reflector_migrate.pipeline import audio
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import WaveformInput, WaveformOutput
from reflector_migrate.pipeline.publish import keep
from reflector_migrate.pipeline.services.storage import address
from reflector_migrate.pipeline.work_dir import working

DRAWING = "audio.json"


def generate_waveform(task: WaveformInput, ctx: StepContext) -> WaveformOutput:
    """`audio.json` in the data folder and the WAVEFORM event, kept but not broadcast.

    The sound is read from S3: a local copy may be another host's, or an earlier run's.
    """
    source = address(ctx.place.media_bucket, task.audio_key)
    size = ctx.storage.size(source)
    url = ctx.storage.presign(source, ctx.settings.services.presign_s)
    peaks = audio.waveform(url, progress=lambda _done_s: ctx.heartbeat())
    ctx.meter.add(s3_requests=1, s3_bytes=size)
    with working(ctx) as folder:
        unfinished = folder / DRAWING
        unfinished.write_text(json.dumps(peaks), encoding="utf-8")
        unfinished.replace(ctx.local(DRAWING))
    keep(ctx, "WAVEFORM", {"waveform": peaks})
    return WaveformOutput(waveform=tuple(peaks))

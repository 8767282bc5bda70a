"""Gives a track the meeting's clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reflector_migrate.pipeline import audio
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import PadTrackInput, PadTrackOutput
from reflector_migrate.pipeline.services.storage import Stored, address
from reflector_migrate.pipeline.work_dir import working


def pad_track(task: PadTrackInput, ctx: StepContext) -> PadTrackOutput:
    """The track behind silence as long as its start; one that starts at 0 is used as it is."""
    source = address(task.bucket_name, task.s3_key)
    with working(ctx) as folder:
        raw = folder / "track"
        fetched = ctx.storage.get_file(source, raw)
        with _naming(source):
            start_s = audio.track_start_s(raw)
            if not audio.needs_padding(start_s):
                return _output(task, source, fetched, start_s, padded=False)
            stored = _padded(task, ctx, raw, start_s)
    return _output(task, _address(task, ctx), stored, start_s, padded=True)


def padded_key(transcript_id: str, track_index: int) -> str:
    """The object key of a padded track."""
    return f"{padded_prefix(transcript_id)}padded_{track_index}.webm"


def padded_prefix(transcript_id: str) -> str:
    """Where a transcript's padded tracks are."""
    return f"file_pipeline/{transcript_id}/tracks/"


def _padded(task: PadTrackInput, ctx: StepContext, raw: Path, start_s: float) -> Stored:
    out = raw.with_name("padded.webm")
    audio.pad_track(raw, out, start_s, progress=lambda _done_s: ctx.heartbeat())
    return ctx.effects.put_media(padded_key(ctx.run.transcript_id, task.track_index), out)


def _address(task: PadTrackInput, ctx: StepContext) -> str:
    return address(ctx.place.media_bucket, padded_key(ctx.run.transcript_id, task.track_index))


def _output(
    task: PadTrackInput, where: str, stored: Stored, start_s: float, *, padded: bool
) -> PadTrackOutput:
    return PadTrackOutput(
        track_index=task.track_index,
        padded_url=where,
        size=stored.size_bytes,
        padded=padded,
        start_s=start_s,
        sha256=stored.sha256,
    )


@contextmanager
def _naming(source: str) -> Iterator[None]:
    """Errors name the object in S3, not our temporary copy of it."""
    try:
        yield
    except audio.AudioError as error:
        message = error.message.removeprefix(f"{error.source}: ")
        raise type(error)(message, source=source) from None

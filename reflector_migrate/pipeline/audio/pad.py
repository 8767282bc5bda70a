"""Puts silence before a track, so that all tracks share the meeting's clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from av.audio.frame import AudioFrame

from reflector_migrate.pipeline.audio.graph import padding
from reflector_migrate.pipeline.audio.output import writing
from reflector_migrate.pipeline.audio.probe import delay_ms, needs_padding
from reflector_migrate.pipeline.audio.progress import Progress, Pulse
from reflector_migrate.pipeline.audio.source import (
    BATCH,
    DEFAULT_LIMITS,
    Input,
    Limits,
    Source,
    opened,
)

RATE = 48_000
BIT_RATE = 128_000


@dataclass(frozen=True, slots=True)
class PadResult:
    """What padding wrote."""

    size_bytes: int
    duration_s: float
    delay_ms: int


def pad_track(
    source: Source,
    out_path: Path,
    start_s: float,
    *,
    progress: Progress | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> PadResult:
    """Write `source` as Opus 128 kbit/s stereo in WebM, after `start_s` seconds of silence.

    `start_s` must be positive (`needs_padding`), else ValueError. The same input gives the same
    bytes. Memory does not grow with duration. Raises HopelessAudioError for a source without
    decodable audio, TransientAudioError when the network or the disk failed.
    """
    if not needs_padding(start_s):
        raise ValueError("a track that starts at or before zero is never padded")
    delay = delay_ms(start_s)
    pulse = Pulse(progress, limits.report_every_s)
    with (
        opened(source, limits) as track,
        writing(out_path, "webm", "libopus", RATE, BIT_RATE) as writer,
    ):
        for frame in _padded(track, delay):
            writer.write(frame)
            pulse.beat(writer.taken_samples / RATE)
    return PadResult(out_path.stat().st_size, float(writer.duration_s), delay)


def _padded(track: Input, delay: int) -> Iterator[AudioFrame]:
    first, frames = track.from_first()
    chain = padding(first, delay, RATE)
    while chain.feed(0, islice(frames, BATCH), track.name):
        yield from chain.drain()
    chain.end(0)
    yield from chain.drain()

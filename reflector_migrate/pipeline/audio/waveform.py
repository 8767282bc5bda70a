"""Draws a recording's loudness as a row of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import av
import numpy as np
from numpy.typing import NDArray

from reflector_migrate.pipeline.audio.errors import HopelessAudioError
from reflector_migrate.pipeline.audio.progress import Progress, Pulse
from reflector_migrate.pipeline.audio.source import (
    BATCH,
    DEFAULT_LIMITS,
    Input,
    Limits,
    Source,
    opened,
)

SEGMENTS = 255


def waveform(
    source: Source,
    segments: int = SEGMENTS,
    *,
    progress: Progress | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> list[float]:
    """Return the peaks of about `segments` equal chunks, relative to the highest, 2 decimals.

    A chunk has floor(container duration / segments x rate x channels) values; an incomplete last
    one is dropped and more than 1.1 x segments are cut, so the length is not exactly `segments`
    (254 of 255 as a rule). The values of a frame are taken channel by channel, as legacy does,
    which decides what falls into which chunk. Silence gives zeros.
    """
    with opened(source, limits) as track:
        peaks = list(
            _peaks(
                _values(track, Pulse(progress, limits.report_every_s)),
                _chunk_length(track, segments),
            )
        )
        if not peaks:
            raise HopelessAudioError("holds no decodable audio", source=track.name)
    highest = max(peaks)
    kept = peaks[: int(segments * 1.1)]
    return [round(peak / highest, 2) if highest else 0.0 for peak in kept]


def _chunk_length(track: Input, segments: int) -> int:
    seconds = (track.container.duration or 0) / av.time_base / segments
    return max(1, int(seconds * track.stream.rate * track.stream.channels))


def _values(track: Input, pulse: Pulse) -> Iterator[NDArray[np.float32]]:
    """Absolute values, some frames at a time: what numpy costs it costs by the call."""
    frames, done = track.frames(), 0
    while batch := list(islice(frames, BATCH)):
        done += sum(frame.samples for frame in batch)
        pulse.beat(done / batch[-1].sample_rate)
        values = np.concatenate([frame.to_ndarray().reshape(-1) for frame in batch])
        yield np.abs(values.astype(np.float32, copy=False))


def _peaks(blocks: Iterator[NDArray[np.float32]], length: int) -> Iterator[float]:
    peak, missing = 0.0, length
    for block in blocks:
        rest = block
        while len(rest) >= missing:
            yield max(peak, float(rest[:missing].max()))
            rest, peak, missing = rest[missing:], 0.0, length
        if len(rest):
            peak = max(peak, float(rest.max()))
            missing -= len(rest)

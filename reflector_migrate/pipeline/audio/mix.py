"""Mixes all tracks of a meeting into one MP3."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from av.audio.frame import AudioFrame

from reflector_migrate.pipeline.audio.errors import AbsentAudioError, HopelessAudioError
from reflector_migrate.pipeline.audio.graph import mixing
from reflector_migrate.pipeline.audio.output import writing
from reflector_migrate.pipeline.audio.progress import Progress, Pulse
from reflector_migrate.pipeline.audio.source import BATCH, DEFAULT_LIMITS, Limits, Source, opened

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SkippedTrack:
    """A track that is not in the mix, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class MixResult:
    """What the mixdown wrote."""

    duration_ms: float
    size_bytes: int
    sample_rate: int
    skipped: tuple[SkippedTrack, ...]


@dataclass(slots=True)
class Track:
    """One input of the mix while it is being read: the one with the fewest samples is next."""

    name: str
    first: AudioFrame
    frames: Iterator[AudioFrame]
    pushed: int = 0


def mixdown(
    sources: Sequence[Source],
    out_path: Path,
    *,
    progress: Progress | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> MixResult:
    """Write the sum of all sources as MP3 (libmp3lame, default bit rate, stereo).

    The rate is that of the first decodable track; frames of another rate are skipped. A track
    that cannot be decoded is left out with a warning; if the network failed or a source is not
    there, the whole mix fails instead (TransientAudioError, AbsentAudioError): a part of the
    tracks must not pass for all. Legacy leaves out what is not there too, but mixes what it has
    padded a moment before; a workflow can be run again when padded tracks are deleted.
    Nothing decodable: HopelessAudioError. `duration_ms` is the sum of the packets' durations,
    2 decimals.
    """
    pulse = Pulse(progress, limits.report_every_s)
    with ExitStack() as stack:
        tracks, rate, skipped = _open_all(sources, stack, limits)
        writer = stack.enter_context(writing(out_path, "mp3", "libmp3lame", rate))
        for frame in _mixed(tracks, rate):
            writer.write(frame)
            pulse.beat(writer.taken_samples / rate)
    return MixResult(
        duration_ms=round(float(writer.duration_s * 1000), 2),
        size_bytes=out_path.stat().st_size,
        sample_rate=rate,
        skipped=tuple(skipped),
    )


def _open_all(
    sources: Sequence[Source], stack: ExitStack, limits: Limits
) -> tuple[list[Track], int, list[SkippedTrack]]:
    tracks: list[Track] = []
    skipped: list[SkippedTrack] = []
    rate = 0
    for index, source in enumerate(sources):
        try:
            track = stack.enter_context(opened(source, limits))
            first, frames = track.from_first()
        except AbsentAudioError:
            raise
        except HopelessAudioError as error:
            log.warning("track %d is left out of the mix: %s", index, error)
            skipped.append(SkippedTrack(index, str(error)))
            continue
        rate = rate or first.sample_rate
        if first.sample_rate != rate:
            log.warning("track %d is left out of the mix: %d Hz", index, first.sample_rate)
            skipped.append(SkippedTrack(index, f"{first.sample_rate} Hz instead of {rate}"))
            continue
        tracks.append(Track(track.name, first, _of_rate(frames, rate)))
    if not tracks:
        raise HopelessAudioError(f"none of {len(sources)} tracks can be decoded")
    return tracks, rate, skipped


def _of_rate(frames: Iterator[AudioFrame], rate: int) -> Iterator[AudioFrame]:
    return (frame for frame in frames if frame.sample_rate == rate)


def _mixed(tracks: list[Track], rate: int) -> Iterator[AudioFrame]:
    graph = mixing([track.first for track in tracks], rate)
    active = list(range(len(tracks)))
    while active:
        index = min(active, key=lambda i: tracks[i].pushed)
        pushed = graph.feed(index, islice(tracks[index].frames, BATCH), tracks[index].name)
        tracks[index].pushed += pushed
        if not pushed:
            active.remove(index)
            graph.end(index)
        yield from graph.drain()

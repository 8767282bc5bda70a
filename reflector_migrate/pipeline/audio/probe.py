"""Finds where a track starts in the meeting."""

from __future__ import annotations

import math

import av

from reflector_migrate.pipeline.audio.errors import classified
from reflector_migrate.pipeline.audio.source import DEFAULT_LIMITS, Input, Limits, Source, opened


def track_start_s(source: Source, *, limits: Limits = DEFAULT_LIMITS) -> float:
    """Return a track's start in seconds of the meeting; 0.0 when it starts at or before zero.

    Asked in order until one is positive: the audio stream's start, the container's start, the
    first packet's decoding time. Legacy reads the container's start (microseconds) as if it were
    seconds times 10^6; the right unit is used here, because the value can only be reached by a
    file whose audio stream has no start of its own, and a start of weeks would be absurd.
    """
    with opened(source, limits) as track:
        for start_s in (_stream_start_s(track), _container_start_s(track)):
            if start_s > 0:
                return start_s
        return max(0.0, _first_packet_s(track))


def delay_ms(start_s: float) -> int:
    """Return the silence to put before a track: floor(seconds x 1000), as legacy."""
    return math.floor(start_s * 1000)


def needs_padding(start_s: float) -> bool:
    """Tell whether a track is padded at all; one that starts at or before zero is used as it is."""
    return start_s > 0


def _stream_start_s(track: Input) -> float:
    start, base = track.stream.start_time, track.stream.time_base
    return float(start * base) if start is not None and base is not None else 0.0


def _container_start_s(track: Input) -> float:
    start = track.container.start_time
    return start / av.time_base if start is not None else 0.0


def _first_packet_s(track: Input) -> float:
    try:
        for packet in track.container.demux(track.stream):
            if packet.dts is not None and packet.time_base is not None:
                return float(packet.dts * packet.time_base)
    except av.error.FFmpegError as error:
        raise classified(error, track.name, "reading stopped") from None
    return 0.0

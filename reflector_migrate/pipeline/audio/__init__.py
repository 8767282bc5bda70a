"""Padding, mixing and drawing a meeting's sound: streaming, with legacy's arithmetic.

    start_s = track_start_s(url)
    if needs_padding(start_s):
        padded = pad_track(url, path, start_s, progress=heartbeat)
    mixed = mixdown([url_or_path, ...], mp3_path, progress=heartbeat)
    peaks = waveform(mp3_path)

A source is a path, an http(s) URL or a seekable binary file object.
"""

from reflector_migrate.pipeline.audio.errors import (
    AbsentAudioError,
    AudioError,
    HopelessAudioError,
    TransientAudioError,
)
from reflector_migrate.pipeline.audio.mix import MixResult, SkippedTrack, mixdown
from reflector_migrate.pipeline.audio.pad import PadResult, pad_track
from reflector_migrate.pipeline.audio.probe import delay_ms, needs_padding, track_start_s
from reflector_migrate.pipeline.audio.progress import Progress
from reflector_migrate.pipeline.audio.source import DEFAULT_LIMITS, Limits, Source
from reflector_migrate.pipeline.audio.waveform import waveform

__all__ = [
    "DEFAULT_LIMITS",
    "AbsentAudioError",
    "AudioError",
    "HopelessAudioError",
    "Limits",
    "MixResult",
    "PadResult",
    "Progress",
    "SkippedTrack",
    "Source",
    "TransientAudioError",
    "delay_ms",
    "mixdown",
    "needs_padding",
    "pad_track",
    "track_start_s",
    "waveform",
]

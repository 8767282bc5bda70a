"""Opens sound from a path, a URL or a file object, always with time limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from reflector_migrate.pipeline.audio.errors import (
    AudioError,
    HopelessAudioError,
    classified,
    describe,
)

Source = str | Path | IO[bytes]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one network operation may take, and how long a lost connection is sought again."""

    open_timeout_s: float = 30.0
    read_timeout_s: float = 60.0
    reconnect_s: int = 2


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Input:
    """An open container and its first audio stream."""

    name: str
    container: InputContainer
    stream: AudioStream

    def frames(self) -> Iterator[AudioFrame]:
        """Yield decoded frames in order; errors name the source."""
        try:
            yield from self.container.decode(self.stream)
        except av.error.FFmpegError as error:
            raise classified(error, self.name, "decoding stopped") from None


def _options(source: Source, limits: Limits) -> dict[str, str]:
    if not (isinstance(source, str) and "://" in source):
        return {}
    return {
        "rw_timeout": str(int(limits.read_timeout_s * 1_000_000)),
        "reconnect": "1",
        "reconnect_streamed": "1",
        "reconnect_delay_max": str(limits.reconnect_s),
    }


def _container(source: Source, limits: Limits) -> InputContainer:
    if not isinstance(source, str | Path):
        source.seek(0)
    try:
        return av.open(
            str(source) if isinstance(source, Path) else source,
            mode="r",
            options=_options(source, limits),
            timeout=(limits.open_timeout_s, limits.read_timeout_s),
        )
    except av.error.FFmpegError as error:
        raise classified(error, describe(source), "cannot be opened") from None


@contextmanager
def opened(source: Source, limits: Limits = DEFAULT_LIMITS) -> Iterator[Input]:
    """Open a source for reading and close it again; without audio in it: HopelessAudioError."""
    name = describe(source)
    with _container(source, limits) as container:
        if not container.streams.audio:
            raise HopelessAudioError("holds no audio", source=name)
        yield Input(name=name, container=container, stream=container.streams.audio[0])


__all__ = ["DEFAULT_LIMITS", "AudioError", "Input", "Limits", "Source", "opened"]

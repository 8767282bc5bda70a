"""Opens sound from a path, a URL or a file object, always with time limits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from reflector_migrate.pipeline.audio.errors import (
    HopelessAudioError,
    TransientAudioError,
    classified,
    describe,
)

log = logging.getLogger(__name__)

END_TOLERANCE_S = 1.0
BATCH = 50  # frames read at once: a second of Opus

Source = str | Path | IO[bytes]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one network operation may take, a lost connection is sought, progress is silent."""

    open_timeout_s: float = 30.0
    read_timeout_s: float = 60.0
    reconnect_s: int = 2
    report_every_s: float = 1.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Input:
    """An open container and its first audio stream."""

    name: str
    container: InputContainer
    stream: AudioStream
    remote_bytes: int | None = None

    def frames(self) -> Iterator[AudioFrame]:
        """Yield decoded frames in order; errors name the source.

        A connection that is lost for good looks like the end of the file to the demuxer: a remote
        source that ends early is a TransientAudioError. A local file that was cut short yields
        what is there, as legacy does, with a warning.
        """
        last: av.Packet | None = None
        try:
            for packet in self.container.demux(self.stream):
                last = packet if packet.size else last
                yield from cast(list[AudioFrame], packet.decode())
        except (av.error.FFmpegError, OSError) as error:
            raise classified(error, self.name, "decoding stopped") from None
        if last is not None:
            self._check_end(_end_s(last), (last.pos or 0) + last.size)

    def from_first(self) -> tuple[AudioFrame, Iterator[AudioFrame]]:
        """Return the first frame, and all frames with it; nothing decodable: HopelessAudioError."""
        frames = self.frames()
        for first in frames:
            return first, chain([first], frames)
        raise HopelessAudioError("holds no decodable audio", source=self.name)

    def _check_end(self, end_s: float, end_bytes: int) -> None:
        stated = self.container.duration
        missing_s = stated / av.time_base - end_s if stated else 0.0
        is_short = missing_s > END_TOLERANCE_S
        if (is_short or not stated) and self._is_unread(end_s, end_bytes):
            raise TransientAudioError("ended before all of it was read", source=self.name)
        if is_short:
            log.warning("%s ends %.1f s before the duration it states", self.name, missing_s)

    def _is_unread(self, end_s: float, end_bytes: int) -> bool:
        if self.remote_bytes is None:
            return False
        bytes_per_s = end_bytes / max(end_s, END_TOLERANCE_S)
        return self.remote_bytes - end_bytes > bytes_per_s * END_TOLERANCE_S


def _end_s(packet: av.Packet) -> float:
    if packet.pts is None or packet.time_base is None:
        return 0.0
    return float((packet.pts + (packet.duration or 0)) * packet.time_base)


def _is_remote(source: Source) -> bool:
    return isinstance(source, str) and "://" in source


def _options(source: Source, limits: Limits) -> dict[str, str]:
    if not _is_remote(source):
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
    except (av.error.FFmpegError, OSError) as error:
        raise classified(error, describe(source), "cannot be opened") from None


@contextmanager
def opened(source: Source, limits: Limits = DEFAULT_LIMITS) -> Iterator[Input]:
    """Open a source for reading and close it again; without audio in it: HopelessAudioError."""
    name = describe(source)
    with _container(source, limits) as container:
        size_bytes = container.size if _is_remote(source) else None  # unknown once it is lost
        if not container.streams.audio:
            raise HopelessAudioError("holds no audio", source=name)
        yield Input(name, container, container.streams.audio[0], size_bytes)

"""Writes one encoded audio stream to a file that appears only when it is complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer

from reflector_migrate.pipeline.audio.errors import TransientAudioError


@dataclass(slots=True)
class Writer:
    """An encoder and its container; counts what it has written."""

    container: OutputContainer
    stream: AudioStream
    duration_s: Fraction = field(default=Fraction(0))

    def write(self, frame: AudioFrame | None) -> None:
        """Encode and store a frame; None ends the stream."""
        for packet in self.stream.encode(frame):
            if packet.duration and packet.time_base is not None:
                self.duration_s += packet.duration * packet.time_base
            self.container.mux(packet)


@contextmanager
def writing(
    path: Path, container: str, codec: str, rate: int, bit_rate: int | None = None
) -> Iterator[Writer]:
    """Encode into `path`; on any failure nothing is left there.

    Two runs give the same bytes: the muxer's random identifiers are switched off (`bitexact`)
    where the container has any, which is WebM only; the packets are untouched.
    """
    partial = path.with_name(f".{path.name}.partial")
    options = {"fflags": "+bitexact"} if container == "webm" else {}
    try:
        with av.open(str(partial), mode="w", format=container, options=options) as out:
            stream = cast(AudioStream, out.add_stream(codec, rate=rate))
            if bit_rate is not None:
                stream.bit_rate = bit_rate
            writer = Writer(container=out, stream=stream)
            yield writer
            writer.write(None)
        partial.replace(path)
    except av.error.OSError as error:
        raise TransientAudioError(
            f"cannot be written: {error.strerror}", source=str(path)
        ) from None
    finally:
        partial.unlink(missing_ok=True)

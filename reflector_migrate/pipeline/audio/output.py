"""Writes one encoded audio stream to a file that appears only when it is complete."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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

BATCH = 4  # frames, of a second each
TRACK_NUMBER_IDS = (b"\x73\xc5\x88", b"\x63\xc5\x88")  # TrackUID and TagTrackUID, 8 bytes each
HEADER_BYTES = 4096


@dataclass(slots=True)
class Writer:
    """An encoder that works beside its caller, in batches; at most two batches wait in memory.

    The library's encoders release the interpreter while they work, so that reading and mixing
    go on meanwhile. An error of the encoder is raised by the next call.
    """

    container: OutputContainer
    stream: AudioStream
    pool: ThreadPoolExecutor
    duration_s: Fraction = Fraction(0)
    taken_samples: int = 0
    _batch: list[AudioFrame | None] = field(default_factory=list)
    _pending: Future[None] | None = None

    def write(self, frame: AudioFrame) -> None:
        """Take a frame to be encoded and stored, in order."""
        self._batch.append(frame)
        self.taken_samples += frame.samples
        if len(self._batch) >= BATCH:
            self._hand_over()

    def finish(self) -> None:
        """Encode what is left and end the stream."""
        self._batch.append(None)
        self._hand_over()
        self._settle()

    def _hand_over(self) -> None:
        self._settle()
        self._pending = self.pool.submit(self._encode, self._batch)
        self._batch = []

    def _settle(self) -> None:
        if self._pending is not None:
            self._pending.result()

    def _encode(self, frames: list[AudioFrame | None]) -> None:
        for frame in frames:
            for packet in self.stream.encode(frame):
                if packet.duration and packet.time_base is not None:
                    self.duration_s += packet.duration * packet.time_base
                self.container.mux(packet)


@contextmanager
def writing(
    path: Path, container: str, codec: str, rate: int, bit_rate: int | None = None
) -> Iterator[Writer]:
    """Encode into `path`; on any failure nothing is left there. Two runs give the same bytes."""
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        with _encoder(partial, container, codec, rate) as writer:
            if bit_rate is not None:
                writer.stream.bit_rate = bit_rate
            yield writer
            writer.finish()
        if container == "webm":
            _fix_track_number(partial)
        partial.replace(path)
    except av.error.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise TransientAudioError(f"cannot be written: {reason}", source=str(path)) from None
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _encoder(path: Path, container: str, codec: str, rate: int) -> Iterator[Writer]:
    with (
        av.open(str(path), mode="w", format=container) as out,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoder") as pool,
    ):
        stream = cast(AudioStream, out.add_stream(codec, rate=rate))
        yield Writer(container=out, stream=stream, pool=pool)


def _fix_track_number(path: Path) -> None:
    """Replace the muxer's random WebM track number by 1: the file is then equal in every run.

    The muxer's own bit-exact mode would do so too, but also drop the names of the writing
    programs, and with them legacy's file size.
    """
    with path.open("r+b") as file:
        header = file.read(HEADER_BYTES)
        for element in TRACK_NUMBER_IDS:
            at = header.find(element)
            if at >= 0:
                file.seek(at + len(element))
                file.write((1).to_bytes(8, "big"))

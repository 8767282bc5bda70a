"""Decodes anything to the one form the ear works on: mono, 8 kHz."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler

RATE = 8000

Samples = npt.NDArray[np.float32]


class UndecodableError(Exception):
    """The bytes hold no sound that can be decoded."""


def decode(source: bytes | Path) -> Samples:
    """Samples in [-1, 1]; raises UndecodableError.

    Time zero is the first sample, as for any recogniser: a container's own start time is not
    looked at, so a late joiner's unpadded track is heard too early.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    try:
        container = av.open(file, mode="r")
        try:
            return _samples(container)
        finally:
            container.close()
    except av.error.FFmpegError as broken:
        raise UndecodableError(broken.strerror or type(broken).__name__) from None


def _samples(container: av.container.InputContainer) -> Samples:
    if not container.streams.audio:
        raise UndecodableError("no audio stream")
    resampler = AudioResampler(format="flt", layout="mono", rate=RATE)
    pieces: list[npt.NDArray[np.float32]] = []
    for frame in container.decode(container.streams.audio[0]):
        frame.pts = None
        pieces.extend(piece.to_ndarray()[0] for piece in resampler.resample(frame))
    if not pieces:
        raise UndecodableError("no sound")
    pieces.extend(piece.to_ndarray()[0] for piece in resampler.resample(None))
    return np.concatenate(pieces).astype(np.float32, copy=False)

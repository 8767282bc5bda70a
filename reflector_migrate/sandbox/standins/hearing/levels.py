"""What the ear sees: levels of twenty bands every 10 ms, and short descriptors of 0.4 s of them."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from reflector_migrate.sandbox.standins.hearing.sound import RATE, Samples

HOP = 80
FRAME_S = HOP / RATE
WINDOW = 256
BANDS = 20
LOWEST_HZ, HIGHEST_HZ = 100.0, 3800.0
FLOOR_DB = -62.0  # below this nothing is told apart: coding noise lives there
ACTIVE_DB = -50.0
PATCH = 40
TIME_TERMS, BAND_TERMS = 8, 7
TERMS = TIME_TERMS * BAND_TERMS - 1  # of a descriptor, which leaves out the mean
BLOCK = 4096

Levels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def levels_of(samples: Samples) -> Levels:
    """Band levels in dB of full scale, (frames, BANDS); frame k begins at k x 10 ms."""
    padded = np.concatenate([samples, np.zeros(WINDOW, dtype=np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window, bands = _window(), _bands()
    blocks = []
    for at in range(0, len(windows), BLOCK):
        spectrum = np.fft.rfft(windows[at : at + BLOCK] * window, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2) @ bands
        blocks.append((10 * np.log10(power + 1e-10)).astype(np.float32))
    return np.concatenate(blocks)


def active(levels: Levels) -> Mask:
    """The frames in which something sounds."""
    return np.asarray(levels.max(axis=1) > ACTIVE_DB)


def descriptors(levels: Levels, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """One unit vector for each patch of 0.4 s that begins at a frame of `starts`.

    The low terms of a two-dimensional cosine transform, without the mean: what is left is the
    shape, whatever the loudness.
    """
    clamped = np.maximum(levels, FLOOR_DB) @ _cosine(BANDS, BAND_TERMS).T
    patches = np.lib.stride_tricks.sliding_window_view(clamped, PATCH, axis=0)[starts]
    terms = (patches @ _cosine(PATCH, TIME_TERMS).T).reshape(len(starts), -1)[:, 1:]
    norm = np.linalg.norm(terms, axis=1, keepdims=True)
    return np.asarray(terms / np.maximum(norm, 1e-6), dtype=np.float32)


@cache
def _window() -> npt.NDArray[np.float32]:
    window = np.hanning(WINDOW).astype(np.float32)
    return np.asarray(window * (2.0 / window.sum()), dtype=np.float32)


@cache
def _bands() -> npt.NDArray[np.float32]:
    """Triangles of equal width on the mel scale, (WINDOW // 2 + 1, BANDS)."""
    hertz = np.fft.rfftfreq(WINDOW, 1 / RATE)
    mel = 2595 * np.log10(1 + hertz / 700)
    low, high = (2595 * np.log10(1 + f / 700) for f in (LOWEST_HZ, HIGHEST_HZ))
    centres = np.linspace(low, high, BANDS + 2)
    width = centres[1] - centres[0]
    distance = np.abs(mel[:, None] - centres[None, 1:-1]) / width
    return np.asarray(np.maximum(0.0, 1.0 - distance), dtype=np.float32)


@cache
def _cosine(size: int, terms: int) -> npt.NDArray[np.float32]:
    place = (np.arange(size) + 0.5) * np.pi / size
    rows = np.cos(np.arange(terms)[:, None] * place[None, :])
    return np.asarray(rows / np.sqrt(size), dtype=np.float32)

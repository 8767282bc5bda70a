"""Makes tracks of every shape, also broken ones, and listens to what came of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TRACKS = Path(__file__).resolve().parent.parent / "fixtures" / "runs" / "tracks"
SPEECH = TRACKS / "52f7f48b-screen-audio.webm"
CLUSTER = b"\x1f\x43\xb6\x75"  # where the packets begin in WebM


def burst(seconds: float, rate: int, channels: int, hz: float, level: float) -> np.ndarray:
    """Return a tone, interleaved 16 bit."""
    wave = level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    return np.repeat((wave * 32767).astype(np.int16), channels).reshape(1, -1)


def write_track(
    path: Path,
    *,
    start_s: float = 0.0,
    seconds: float = 0.5,
    rate: int = 48_000,
    channels: int = 1,
    hz: float = 440.0,
    level: float = 0.5,
    silence_s: float = 0.0,
    gap: tuple[float, float] | None = None,
) -> Path:
    """Write `silence_s`, then a tone; `gap` (from, length) leaves out samples by time stamps."""
    data = burst(seconds, rate, channels, hz, level)
    data = np.concatenate([np.zeros((1, int(silence_s * rate) * channels), np.int16), data], 1)
    codec, container = ("libopus", "webm") if rate == 48_000 else ("flac", "matroska")
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono" if channels == 1 else "stereo")
        step = rate // 50
        for at in range(0, data.shape[1] // channels, step):
            part = np.ascontiguousarray(data[:, at * channels : (at + step) * channels])
            frame = av.AudioFrame.from_ndarray(part, "s16", stream.layout.name)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            skipped = int(gap[1] * rate) if gap and at >= gap[0] * rate else 0
            frame.pts = int(start_s * rate) + at + skipped
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def decoded(path: Path) -> tuple[np.ndarray, int]:
    """Return the first channel's samples as floats, and their rate."""
    with av.open(str(path)) as container:
        frames = [f.to_ndarray().astype(np.float32) for f in container.decode(audio=0)]
        return np.concatenate(frames, axis=1)[0], container.streams.audio[0].rate


def onsets_s(path: Path, silence_s: float = 0.2) -> list[float]:
    """Return where sound begins after at least `silence_s` of quiet (or at the very start)."""
    samples, rate = decoded(path)
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    starts = np.flatnonzero(np.diff(loud) > silence_s * rate) + 1
    return [float(loud[i]) / rate for i in (0, *starts)]


BROKEN = ("empty", "garbage", "header only", "no audio", "missing")


def broken(folder: Path, kind: str) -> Path:
    """Make one of the files without audible sound."""
    path = folder / f"{kind}.webm"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "garbage":
        path.write_bytes(b"\x00not sound\xff" * 500)
    elif kind == "header only":
        path.write_bytes(SPEECH.read_bytes().partition(CLUSTER)[0])
    elif kind == "no audio":
        with av.open(str(path), "w", format="webm") as out:
            stream = out.add_stream("libvpx", rate=5, width=16, height=16, pix_fmt="yuv420p")
            out.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
            out.mux(stream.encode(None))
    return path


def write_wav(path: Path, samples: list[int], channels: int = 1) -> Path:
    """Write raw 16 bit samples at 8 kHz."""
    layout = "mono" if channels == 1 else "stereo"
    with av.open(str(path), "w", format="wav") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.array([samples], np.int16), "s16", layout)
        frame.sample_rate = 8000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path

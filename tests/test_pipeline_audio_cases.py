"""The hard cases: odd starts, odd formats, broken files, one track and forty."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from reflector_migrate.pipeline import audio

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


@pytest.mark.parametrize(
    ("start_s", "shape"),
    [
        pytest.param(0.02, {}, id="one frame late"),
        pytest.param(1.5, {}, id="mono"),
        pytest.param(1.5, {"channels": 2}, id="stereo"),
        pytest.param(1.5, {"rate": 44_100}, id="44.1 kHz"),
        pytest.param(1.5, {"rate": 44_100, "channels": 2}, id="44.1 kHz stereo"),
        pytest.param(75.0, {}, id="joins after more than a minute"),
    ],
)
def test_speech_begins_where_it_did_in_the_meeting(tmp_path, start_s, shape):
    """The padded onset is the track's start, whatever the track's format."""
    source = write_track(tmp_path / "in.mka", start_s=start_s, **shape)
    start = audio.track_start_s(source)
    assert start == pytest.approx(start_s, abs=0.010)
    result = audio.pad_track(source, tmp_path / "out.webm", start)
    assert onsets_s(tmp_path / "out.webm")[0] == pytest.approx(start_s, abs=0.012)
    assert result.delay_ms == audio.delay_ms(start)
    assert result.duration_s == pytest.approx(start_s + 0.5, abs=0.08)
    assert decoded(tmp_path / "out.webm")[1] == 48_000


def test_a_pause_in_the_packets_stays_a_pause(tmp_path):
    """A muted stretch that the recorder left out is filled with silence of its length."""
    source = write_track(tmp_path / "in.webm", start_s=0.5, seconds=1.0, gap=(0.5, 2.0))
    audio.pad_track(source, tmp_path / "out.webm", audio.track_start_s(source))
    assert onsets_s(tmp_path / "out.webm") == pytest.approx([0.5, 3.0], abs=0.03)


@pytest.mark.parametrize(
    ("start_s", "expected"),
    [(0.0, 0), (-1.0, -1000), (0.2, 200), (1.001, 1000), (8.116, 8116), (0.0009, 0)],
)
def test_delay_is_floored_as_legacy_does(start_s, expected):
    """The delay is floor(seconds x 1000), with the binary fraction's error in it."""
    assert audio.delay_ms(start_s) == expected


@pytest.mark.parametrize("start_s", [0.0, -0.007])
def test_a_track_that_starts_at_zero_is_not_padded(tmp_path, start_s):
    """Padding such a track is a mistake of the caller and writes nothing."""
    assert audio.track_start_s(write_track(tmp_path / "in.webm")) == 0.0
    assert not audio.needs_padding(start_s)
    with pytest.raises(ValueError, match="never padded"):
        audio.pad_track(SPEECH, tmp_path / "out.webm", start_s)
    assert not (tmp_path / "out.webm").exists()


def broken(folder: Path, kind: str) -> Path:
    """Make one of the files nobody can hear."""
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


BROKEN = ("empty", "garbage", "header only", "no audio", "missing")


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_heard_is_hopeless_and_named(tmp_path, kind):
    """Padding, mixing and drawing refuse a broken file in one line that names it."""
    source, out = broken(tmp_path, kind), tmp_path / "out"
    for work in (
        lambda: audio.pad_track(source, out, 1.0),
        lambda: audio.waveform(source),
    ):
        with pytest.raises(audio.HopelessAudioError, match=source.name) as caught:
            work()
        assert "\n" not in str(caught.value)
    with pytest.raises(audio.HopelessAudioError, match="none of 1 tracks"):
        audio.mixdown([source], out)
    assert [path.name for path in tmp_path.iterdir()] in ([], [source.name])


def test_broken_tracks_are_left_out_of_the_mix(tmp_path):
    """What remains is the sound of the good tracks; the others are listed with their reason."""
    good = write_track(tmp_path / "good.webm", silence_s=0.4)
    sources = [broken(tmp_path, kind) for kind in BROKEN]
    result = audio.mixdown([*sources[:2], good, *sources[2:]], tmp_path / "out.mp3")
    assert [track.index for track in result.skipped] == [0, 1, 3, 4, 5]
    assert all(track.reason for track in result.skipped)
    audio.mixdown([good], tmp_path / "alone.mp3")
    assert (tmp_path / "out.mp3").read_bytes() == (tmp_path / "alone.mp3").read_bytes()


def test_a_track_cut_short_gives_what_is_there(tmp_path, caplog):
    """As legacy does; the warning says how much is missing."""
    cut = tmp_path / "cut.webm"
    cut.write_bytes(SPEECH.read_bytes()[:5000])
    result = audio.pad_track(cut, tmp_path / "out.webm", audio.track_start_s(cut))
    assert 3.0 < result.duration_s < 4.0
    whole = tmp_path / "whole.webm"
    assert audio.pad_track(SPEECH, whole, 2.986).duration_s > result.duration_s + 0.4
    long = tmp_path / "long.webm"
    long.write_bytes((TRACKS / "12f0b87c-cam-audio.webm").read_bytes()[:80_000])
    audio.pad_track(long, tmp_path / "out.webm", 8.116)
    assert "before the duration it states" in caplog.text


@pytest.mark.parametrize("count", [1, 2, 12, 40])
def test_every_track_is_heard_at_its_time_and_level(tmp_path, count):
    """N tracks that speak one after the other give N bursts, none weakened by the others.

    One channel made into two is 3 dB lower in each, as legacy's resampler does.
    """
    sources = [
        write_track(tmp_path / f"{i}.webm", silence_s=0.1 + 0.3 * i, seconds=0.08, level=0.5)
        for i in range(count)
    ]
    result = audio.mixdown(sources, tmp_path / "out.mp3")
    expected = [0.1 + 0.3 * i for i in range(count)]
    assert onsets_s(tmp_path / "out.mp3") == pytest.approx(expected, abs=0.04)
    samples, rate = decoded(tmp_path / "out.mp3")
    assert 0.3 < np.abs(samples).max() < 0.4
    assert (result.sample_rate, rate, result.skipped) == (48_000, 48_000, ())


def test_mix_adds_without_normalising(tmp_path):
    """Three equal tracks are three times as loud as one."""
    source = write_track(tmp_path / "in.webm", level=0.1)
    audio.mixdown([source], tmp_path / "one.mp3")
    audio.mixdown([source] * 3, tmp_path / "three.mp3")
    one, three = (np.abs(decoded(tmp_path / n)[0]).max() for n in ("one.mp3", "three.mp3"))
    assert three / one == pytest.approx(3.0, rel=0.05)


def test_duration_is_the_sum_of_the_packets(tmp_path):
    """Milliseconds with two decimals: whole MP3 frames of 24 ms, and what the muxer rounds."""
    result = audio.mixdown([SPEECH], tmp_path / "out.mp3")
    with av.open(str(tmp_path / "out.mp3")) as container:
        packets = sum(1 for packet in container.demux(audio=0) if packet.size)
    assert result.duration_ms == round(result.duration_ms, 2)
    assert result.duration_ms == pytest.approx(24.0 * packets, abs=50)


def test_the_first_decodable_track_sets_the_rate(tmp_path, caplog):
    """A track of another rate is left out, and said so."""
    odd = write_track(tmp_path / "odd.mka", rate=44_100)
    even = write_track(tmp_path / "even.webm")
    assert [t.index for t in audio.mixdown([even, odd], tmp_path / "a.mp3").skipped] == [1]
    assert audio.mixdown([odd, even], tmp_path / "b.mp3").sample_rate == 44_100
    assert "44100 Hz" in caplog.text


def test_silence_is_silence(tmp_path):
    """A meeting in which nobody spoke has a waveform of zeros, not a division by zero."""
    quiet = write_track(tmp_path / "in.webm", level=0.0, seconds=3.0)
    result = audio.mixdown([quiet], tmp_path / "out.mp3")
    assert result.skipped == ()
    peaks = audio.waveform(tmp_path / "out.mp3")
    assert set(peaks) == {0.0}
    assert len(peaks) in range(250, 257)


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


@pytest.mark.parametrize(
    ("samples", "segments", "expected"),
    [
        pytest.param([0, 50, -100, 25, 10, 0], 3, [0.5, 1.0, 0.1], id="peaks are absolute"),
        pytest.param([-32768, 16384], 2, [1.0, 0.5], id="the lowest sample does not overflow"),
        pytest.param([10, 10, 20, 20, 40], 2, [0.5, 1.0], id="an incomplete last chunk is dropped"),
        pytest.param([5, 10], 255, [0.5, 1.0], id="fewer samples than segments"),
        pytest.param([0, 0, 0, 0], 2, [0.0, 0.0], id="silence"),
    ],
)
def test_waveform_arithmetic(tmp_path, samples, segments, expected):
    """Chunks, peaks and rounding on numbers small enough to check by hand."""
    assert audio.waveform(write_wav(tmp_path / "in.wav", samples), segments) == expected


def test_same_input_same_bytes(tmp_path):
    """Padding and mixing twice give identical files."""
    for name in ("a", "b"):
        audio.pad_track(SPEECH, tmp_path / f"{name}.webm", 2.986)
        audio.mixdown([SPEECH, tmp_path / f"{name}.webm"], tmp_path / f"{name}.mp3")
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()
    assert (tmp_path / "a.mp3").read_bytes() == (tmp_path / "b.mp3").read_bytes()


def test_file_objects_are_read_from_their_start(tmp_path):
    """An open file works as its path does, wherever it was left."""
    with SPEECH.open("rb") as file:
        assert audio.track_start_s(file) == audio.track_start_s(SPEECH)
        audio.pad_track(file, tmp_path / "a.webm", 2.986)
    audio.pad_track(SPEECH, tmp_path / "b.webm", 2.986)
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()


def test_progress_tells_seconds_done(tmp_path):
    """The callback hears rising seconds, so that a worker can renew its lease."""
    limits = audio.Limits(report_every_s=0.0)
    for work in (
        lambda beat: audio.pad_track(SPEECH, tmp_path / "o", 2.986, progress=beat, limits=limits),
        lambda beat: audio.mixdown([SPEECH], tmp_path / "o", progress=beat, limits=limits),
        lambda beat: audio.waveform(SPEECH, progress=beat, limits=limits),
    ):
        heard: list[float] = []
        work(heard.append)
        assert heard == sorted(heard)
        assert 0.5 < heard[-1] <= 4.5


def test_a_cancelled_run_leaves_the_old_file_alone(tmp_path):
    """What the callback raises ends the work; the result of an earlier run stays whole."""

    def cancel(done_s: float) -> None:
        raise ConnectionError("the lease is lost")

    out = tmp_path / "out.webm"
    out.write_bytes(b"earlier")
    limits = audio.Limits(report_every_s=0.0)
    with pytest.raises(ConnectionError, match="lease"):
        audio.pad_track(SPEECH, out, 2.986, progress=cancel, limits=limits)
    assert out.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [out]


def test_an_output_that_cannot_be_written_is_transient(tmp_path):
    """A missing folder or a full disk is the machine's fault, not the recording's."""
    with pytest.raises(audio.TransientAudioError, match="cannot be written"):
        audio.mixdown([SPEECH], tmp_path / "absent" / "out.mp3")

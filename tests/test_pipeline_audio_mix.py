"""The mix of one track and of forty, and the waveform's arithmetic."""

from __future__ import annotations

import av
import numpy as np
import pytest

from reflector_migrate.pipeline import audio
from tests.audio_world import (
    SPEECH,
    decoded,
    onsets_s,
    write_track,
    write_wav,
)


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
    """A meeting without speech has a waveform of zeros, not a division by zero."""
    quiet = write_track(tmp_path / "in.webm", level=0.0, seconds=3.0)
    result = audio.mixdown([quiet], tmp_path / "out.mp3")
    assert result.skipped == ()
    peaks = audio.waveform(tmp_path / "out.mp3")
    assert set(peaks) == {0.0}
    assert len(peaks) in range(250, 257)


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
    """Chunks, peaks and rounding on numbers small enough to check manually."""
    assert audio.waveform(write_wav(tmp_path / "in.wav", samples), segments) == expected

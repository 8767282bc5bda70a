"""The hard cases of a single track: odd starts, odd formats, broken files."""

from __future__ import annotations

import pytest

from reflector_migrate.pipeline import audio
from tests.audio_world import (
    BROKEN,
    SPEECH,
    TRACKS,
    broken,
    decoded,
    onsets_s,
    write_track,
)


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
    reason = "missing.webm" if kind == "missing" else "none of 1 tracks"
    with pytest.raises(audio.HopelessAudioError, match=reason):
        audio.mixdown([source], out)
    assert [path.name for path in tmp_path.iterdir()] in ([], [source.name])


def test_broken_tracks_are_left_out_of_the_mix(tmp_path):
    """What remains is the sound of the good tracks; the others are listed with their reason."""
    good = write_track(tmp_path / "good.webm", silence_s=0.4)
    sources = [broken(tmp_path, kind) for kind in BROKEN if kind != "missing"]
    result = audio.mixdown([*sources[:2], good, *sources[2:]], tmp_path / "out.mp3")
    assert [track.index for track in result.skipped] == [0, 1, 3, 4]
    assert all(track.reason for track in result.skipped)
    audio.mixdown([good], tmp_path / "alone.mp3")
    assert (tmp_path / "out.mp3").read_bytes() == (tmp_path / "alone.mp3").read_bytes()


def test_a_mix_without_a_missing_track_is_refused(tmp_path):
    """What is not there may have been deleted: nothing is written that lacks it."""
    good = write_track(tmp_path / "good.webm", silence_s=0.4)
    with pytest.raises(audio.AbsentAudioError, match="missing"):
        audio.mixdown([good, broken(tmp_path, "missing")], tmp_path / "out.mp3")
    assert not (tmp_path / "out.mp3").exists()


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

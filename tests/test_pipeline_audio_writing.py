"""What padding and mixing write: the same every time, whole or not at all."""

from __future__ import annotations

import pytest

from reflector_migrate.pipeline import audio
from tests.audio_world import (
    SPEECH,
)


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


def test_progress_reports_seconds_done(tmp_path):
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

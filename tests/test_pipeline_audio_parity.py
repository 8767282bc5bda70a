"""Our sound against what the real pipeline stored: the recorded runs in fixtures/runs."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from reflector_migrate.pipeline import audio
from tests.encoder import IS_SAME_ENCODER, IS_SAME_SERIES, NOISE_SHARE, assert_same_waveform

pytestmark = pytest.mark.heavy

RUNS = Path(__file__).resolve().parent.parent / "fixtures" / "runs"


def of_run(run: str, name: str) -> Path:
    """Return a run's own file, else the one all runs share."""
    own = RUNS / run / name
    return own if own.exists() else RUNS / name


def decoded(path: Path) -> np.ndarray:
    """Return all samples, one row a channel."""
    with av.open(str(path)) as container:
        return np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)


def cam_tracks(run: str) -> list[Path]:
    """Return the run's camera tracks in the order of its track keys."""
    keys = json.loads((RUNS / run / "scenario.json").read_text())["keys"]
    names = [key.rsplit("/", 1)[1].split("-") for key in keys if "cam-audio" in key]
    return [of_run(run, f"tracks/{parts[1]}-cam-audio.webm") for parts in names]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, audio.MixResult]]:
    """Pad and mix the two recorded meetings once."""
    results = {}
    for run in ("good", "zero-start"):
        folder = tmp_path_factory.mktemp(run)
        sources: list[Path] = []
        for index, track in enumerate(cam_tracks(run)):
            start_s = audio.track_start_s(track)
            padded = folder / f"padded_{index}.webm"
            if audio.needs_padding(start_s):
                audio.pad_track(track, padded, start_s)
            sources.append(padded if padded.exists() else track)
        results[run] = (folder / "audio.mp3", audio.mixdown(sources, folder / "audio.mp3"))
    return results


@pytest.mark.parametrize(
    ("run", "index", "delay"),
    [("good", 0, 215), ("good", 1, 8116), ("zero-start", 0, 0), ("zero-start", 1, 8116)],
)
def test_starts_are_the_recorded_ones(run, index, delay):
    """A track's offset is its stream's start time, and one that starts before zero has none."""
    start_s = audio.track_start_s(cam_tracks(run)[index])
    assert audio.delay_ms(start_s) == delay
    assert audio.needs_padding(start_s) is (delay > 0)


@pytest.mark.parametrize("index", [0, 1])
def test_padded_sizes_are_those_legacy_left_in_storage(index, tmp_path):
    """Padded files are as large as legacy's, but for the few bytes another encoder build moves."""
    track = cam_tracks("recogniser-error")[index]
    listing = json.loads((RUNS / "recogniser-error" / "s3.json").read_text())["reflector-media"]
    (size,) = [o["size"] for o in listing if o["key"].endswith(f"padded_{index}.webm")]
    result = audio.pad_track(track, tmp_path / "out.webm", audio.track_start_s(track))
    assert abs(result.size_bytes - size) <= (0 if IS_SAME_SERIES else 16)
    assert result.size_bytes == (tmp_path / "out.webm").stat().st_size


@pytest.mark.parametrize("run", ["good", "zero-start"])
def test_mixdown_is_what_legacy_stored(mixed, run):
    """Duration and size agree exactly, the sound within the stated tolerance."""
    path, result = mixed[run]
    (row,) = json.loads((RUNS / run / "rows.json").read_text())["transcript"]
    reference = of_run(run, "audio.mp3")
    assert result.duration_ms == row["duration"]
    assert result.size_bytes == reference.stat().st_size
    assert result.skipped == ()
    assert (path.read_bytes() == reference.read_bytes()) or not IS_SAME_ENCODER
    ours, theirs = decoded(path), decoded(reference)
    assert level(ours - theirs) <= NOISE_SHARE * level(theirs)


def level(samples: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


@pytest.mark.parametrize("run", ["good", "zero-start", "denied-consent", "recogniser-error"])
def test_waveform_of_the_stored_mixdown_is_exactly_the_stored_one(run):
    """The arithmetic is legacy's: the same file gives the same 254 numbers."""
    stored = json.loads((RUNS / run / "audio.json").read_text())
    assert len(stored) == 254
    assert audio.waveform(of_run(run, "audio.mp3")) == stored


@pytest.mark.parametrize("run", ["good", "zero-start"])
def test_waveform_of_our_mixdown_is_the_stored_one(mixed, run):
    """From raw tracks to waveform, within what two makes of processors differ by."""
    stored = json.loads((RUNS / run / "audio.json").read_text())
    assert_same_waveform(audio.waveform(mixed[run][0]), stored)

"""A step that is killed leaves no sound behind on the disk once its transcript has ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reflector_migrate.pipeline.context import place_of
from tests.pipeline_world import make_world
from tests.restart_world import environ_of

pytestmark = pytest.mark.heavy

DYING = """
import json, os, signal, sys
from reflector_migrate.entrance import loaded_settings
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.audio.output import Writer
from reflector_migrate.pipeline.runner import run_step

whole = Writer.finish
Writer.finish = lambda self: whole(self) or os.kill(os.getpid(), signal.SIGKILL)
run_step(sys.argv[1], json.loads(sys.argv[2]), Harness.of(loaded_settings()))
"""
"""Dies when its sound is written, but for the name under which others look for it."""


@pytest.fixture
def world(s3_url, control, tmp_path):
    """A refused recording, its tracks padded."""
    made = make_world(tmp_path, s3_url, control, scenario="denied-consent", is_brief=True)
    for name in ("get_recording", "get_participants", "pad"):
        made.do(name)
    return made


def killed(world, name, folder: Path, **task):
    """SIGKILL a step at its work; the temporary files that it left."""
    temporary = folder / "tmp"
    temporary.mkdir()
    raw = json.dumps({"run": world.run.model_dump(), **task})
    environ = {**os.environ, **environ_of(world.settings), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", DYING, name, raw]
    done = subprocess.run(command, check=False, env=environ, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    return files_in(temporary)


def files_in(folder):
    """Every file below it, by its path there."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def files_of(world):
    """Of the transcript, in the data folder."""
    return files_in(place_of(world.run, world.settings).data_dir / world.run.transcript_id)


def dying_tasks(world):
    """The two steps that write sound, with what they are given."""
    track = {**world.tracks[0], "bucket_name": world.run.bucket_name}
    return {"pad_track": track, "mixdown_tracks": {"padded_urls": world.outputs["pad"]}}


@pytest.mark.parametrize("name", ["pad_track", "mixdown_tracks"])
def test_what_a_killed_step_leaves_goes_when_the_transcript_ends(world, name, tmp_path):
    """Raw, padded or half mixed: it lies with the transcript until then, and nowhere else."""
    assert killed(world, name, tmp_path, **dying_tasks(world)[name]) == []
    assert files_of(world) != []  # it was killed at it
    for step in ("mixdown_tracks", "generate_waveform", "finalize"):
        world.do(step)
    assert files_of(world) == ["audio.json", "audio.mp3"]


@pytest.mark.parametrize("outcome", ["ended", "error"])
def test_it_goes_however_the_transcript_ends(world, outcome, tmp_path):
    """A run that failed keeps its mixed sound, as legacy, and no more."""
    world.do("mixdown_tracks")
    killed(world, "pad_track", tmp_path, **dying_tasks(world)["pad_track"])
    assert len(files_of(world)) > 1
    world.step("finalize", recording_id=world.run.recording_id, outcome=outcome)
    drawn = ["audio.json"] if outcome == "error" else []  # before the end, as legacy
    assert files_of(world) == [*drawn, "audio.mp3"]


@pytest.mark.parametrize("name", ["pad_track", "mixdown_tracks"])
def test_refused_consent_takes_it_too(world, name, tmp_path):
    """Also what a late attempt left after the end."""
    for step in ("mixdown_tracks", "generate_waveform", "finalize"):
        world.do(step)
    killed(world, name, tmp_path, **dying_tasks(world)[name])
    assert files_of(world) != ["audio.json", "audio.mp3"]
    world.do("cleanup_consent")
    assert world.outputs["cleanup_consent"]["audio_deleted"]
    assert files_of(world) == ["audio.json"]


def test_what_cannot_be_removed_is_not_said_to_be_deleted(world, tmp_path, monkeypatch):
    """Consent waits for it; the end of the transcript does not."""
    killed(world, "mixdown_tracks", tmp_path, padded_urls=world.outputs["pad"])

    def refuse(*_args, **_named):
        raise PermissionError(13, "not ours")

    monkeypatch.setattr("shutil.rmtree", refuse)
    world.do("finalize")
    assert world.row.status == "ended"
    with pytest.raises(Exception, match="still there"):
        world.do("cleanup_consent")
    assert not world.row.audio_deleted

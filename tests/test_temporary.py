"""Temporary folders of killed processes are removed by the next; those of living ones stay."""

import os
import signal
import subprocess
import sys

import pytest

from reflector_migrate.temporary import temporary_folder

HOLDS = """
import sys
from reflector_migrate.temporary import temporary_folder
with temporary_folder("held-"):
    print("made", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary folders are made."""
    monkeypatch.setattr("reflector_migrate.temporary.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder(temporary):
    """Another process with a folder of its own."""
    environ = {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", HOLDS]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environ, **pipes) as process:
        assert process.stdout.readline() == b"made\n"
        yield process
        process.kill()


def test_a_killed_process_leaves_its_folder_to_the_next(temporary, holder):
    """As long as it lives, another process leaves it alone."""
    (theirs,) = temporary.iterdir()
    with temporary_folder("held-") as ours:
        assert {*temporary.iterdir()} == {theirs, ours}
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert [*temporary.iterdir()] == [theirs]
    with temporary_folder("held-") as ours:
        assert [*temporary.iterdir()] == [ours]
    assert [*temporary.iterdir()] == []


def test_only_folders_of_its_own_kind_are_looked_at(temporary):
    """Another name, or a folder without our mark, is nobody's to remove."""
    for name in ("other-1", "held-unmarked"):
        (temporary / name).mkdir()
    (temporary / "other-1" / ".owner").touch()
    with temporary_folder("held-"):
        pass
    assert sorted(path.name for path in temporary.iterdir()) == ["held-unmarked", "other-1"]

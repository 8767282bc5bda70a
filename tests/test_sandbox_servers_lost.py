"""A sandbox whose folder was removed still leaves no process."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from reflector_migrate.sandbox.process import marked
from reflector_migrate.sandbox.process_table import MARK, Records
from reflector_migrate.sandbox.stack import Sandbox
from tests.patience import PATIENT

pytestmark = pytest.mark.live

OWNER = """
import sys, time
from pathlib import Path
from reflector_migrate.sandbox.stack import Sandbox
from tests.patience import PATIENT
with Sandbox(PATIENT, Path(sys.argv[1]), with_=("redis",)):
    print("up", flush=True)
    time.sleep(60)
"""


def test_down_finds_what_is_no_longer_on_record(tmp_path):
    """By the mark that every process of it carries."""
    folder = tmp_path / "sandbox"
    with Sandbox(PATIENT, folder, with_=("redis",)):
        mark = Records.of(folder).mark()
        assert marked(MARK, mark)
        shutil.rmtree(folder)
    assert marked(MARK, mark) == []


def test_the_reaper_of_a_killed_owner_finds_it_too(tmp_path):
    """It got the mark while the owner lived."""
    folder = tmp_path / "sandbox"
    argv = [sys.executable, "-c", OWNER, str(folder)]
    owner = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"up\n"
    mark = Records.of(folder).mark()
    theirs = marked(MARK, mark)
    assert theirs
    shutil.rmtree(folder)
    owner.send_signal(signal.SIGKILL)
    owner.wait(5)
    owner.stdout.close()
    _, alive = psutil.wait_procs(theirs, timeout=15)
    assert alive == []
    until = time.monotonic() + 15
    while _ours(folder) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _ours(folder)


def _line(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _ours(folder):
    """Reapers of this sandbox."""
    return [p for p in psutil.process_iter() if str(folder) in _line(p)]

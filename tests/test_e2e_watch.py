"""`migrate watch` shows both sides' steps while they run, whatever restarts meanwhile."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reflector_migrate.experiments.compare import compare_in_sandbox
from reflector_migrate.harness import Harness
from reflector_migrate.model import VISIBLE_STEPS
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.store.runs import Runs
from tests.restart_world import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]

NAME = "three-voices"


def test_both_sides_are_watched_through_a_restart_of_the_server(stack, tmp_path):
    """Conductor is killed during recognition: the watcher goes on and shows every step's end."""
    settings = stack.settings
    recording = load_recording(settings.sandbox.recordings, NAME).recording_id
    log = tmp_path / "watched"
    before = Runs(settings.store_url).latest(recording)

    def is_new():
        run = Runs(settings.store_url).latest(recording)
        return run is not None and (before is None or run.run_id != before.run_id)

    with StandinControl(settings.sandbox.control_url) as control, ThreadPoolExecutor(1) as pool:
        control.set_noise("recogniser", latency_s=3.0)
        try:
            verdict = pool.submit(compare_in_sandbox, Harness.of(settings), NAME, timeout_s=240)
            until(is_new, "the candidate begins")
            with log.open("w") as out:
                watcher = subprocess.Popen(watch(stack), stdout=out, stderr=out)
            until(lambda: shown(log, "candidate", "transcribe_track"), "recognition is shown")
            stack.kill("conductor")
            stack.restart("conductor")
        finally:
            control.clear_noise("recogniser")
        verdict.result()
    assert watcher.wait(60) == 0, log.read_text()
    for side in ("primary", "candidate"):
        done = [step for step in VISIBLE_STEPS if "completed" in " ".join(shown(log, side, step))]
        assert done == list(VISIBLE_STEPS), log.read_text()
    assert any("track 3 of 3" in line for line in shown(log, "candidate", "transcribe_track"))
    assert log.read_text().splitlines()[-1].startswith("MATCHED")


def watch(stack):
    """The command line, on the sandbox's own configuration."""
    program = Path(sys.executable).with_name("migrate")
    return [str(program), "--config", str(stack.folders.config), "watch", NAME]


def shown(log, side, step):
    """The lines about a step of a side so far."""
    lines = [line.split() for line in log.read_text().splitlines()]
    return [" ".join(line[2:]) for line in lines if line[:2] == [side, step]]

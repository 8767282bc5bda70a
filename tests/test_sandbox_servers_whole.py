"""The whole sandbox on real servers: all parts healthy, replaceable one by one, gone in time."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from reflector_migrate.sandbox.layout import ALL
from reflector_migrate.sandbox.process import marked
from reflector_migrate.sandbox.process_table import MARK, Records
from reflector_migrate.sandbox.running import load_running
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings

pytestmark = pytest.mark.live

UP = """
import sys
from pathlib import Path
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings
settings = Settings.model_validate({"sandbox": {"start_timeout_s": 240}})
assert Sandbox(settings, Path(sys.argv[1]), detached=True, shadow=True).up()
"""


def test_every_part_is_healthy(stack):
    """Each server and each worker answers for itself; a secondary may have been asked for."""
    health = {row.name: row.health for row in stack.status()}
    assert set(ALL) <= set(health)
    assert set(health.values()) == {"healthy"}


def test_other_defects_restart_only_the_conductor_workers(stack):
    """Switching a seeded defect on and off leaves every other process alone."""
    before = {row.name: row.pid for row in stack.status()}
    stack.set_defects(["tracks_joined_in_string_order"])
    try:
        assert load_running(stack.folders.root).workers.defects == (
            "tracks_joined_in_string_order",
        )
        after = {row.name: row.pid for row in stack.status()}
        assert {name for name in ALL if before[name] != after[name]} == {"workers"}
    finally:
        stack.set_defects([])
    assert stack.settings.workers.defects == ()


@pytest.mark.parametrize("name", ["legacy", "shadow", "workers"])
def test_sigterm_stops_every_worker_process_within_ten_seconds(stack, name):
    """No child of a worker outlives it, and none needs SIGKILL (fault 24)."""
    record = Records.of(stack.folders.root).find(name)
    family = [psutil.Process(record.pid), *psutil.Process(record.pid).children(recursive=True)]
    assert len(family) > 1
    stack.kill(name, 15)
    assert psutil.wait_procs(family, timeout=10)[1] == []
    stack.restart(name)
    assert {row.health for row in stack.status()} == {"healthy"}


def test_a_detached_sandbox_is_found_used_and_gone_within_ten_seconds(tmp_path):
    """`up` in one process, `down` in another, with the shadow's plugin loaded."""
    subprocess.run([sys.executable, "-c", UP, str(tmp_path)], check=True, timeout=270)
    mark = Records.of(tmp_path).mark()
    try:
        assert load_running(tmp_path).shadow.enabled is True
        statuses = Sandbox(Settings(), tmp_path).status()
        assert {row.name: row.health for row in statuses} == dict.fromkeys(ALL, "healthy")
    finally:
        begun = time.monotonic()
        stubborn = Sandbox(Settings(), tmp_path).down()
        took_s = time.monotonic() - begun
    assert stubborn == ()
    assert took_s < 10
    assert marked(MARK, mark) == []

"""The demonstration, as a newcomer runs it: killed in the middle, and then whole."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reflector_migrate.sandbox.process import marked
from tests.shown_demo import block, missing_lines

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[1]
DEMO = [sys.executable, "-c", "from reflector_migrate.cli.main import main; main()", "demo"]
MARK = "REFLECTOR_DEMO_TEST"
GONE_S = 20


def _start(folder: Path, word: str) -> subprocess.Popen[str]:
    env = {**os.environ, MARK: word, "MIGRATE_SANDBOX__RECORDINGS": f"{ROOT}/fixtures/recordings"}
    env["MIGRATE_SANDBOX__START_TIMEOUT_S"] = "240"
    log = (folder / "demo.log").open("w")
    return subprocess.Popen(
        DEMO, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=log, text=True
    )  # fmt: skip


def _gone(word: str) -> bool:
    deadline = time.monotonic() + GONE_S
    while marked(MARK, word) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not marked(MARK, word)


def _wait_for(folder: Path, text: str) -> None:
    deadline = time.monotonic() + 240
    while text not in (folder / "demo.log").read_text() and time.monotonic() < deadline:
        time.sleep(0.2)


def test_a_killed_demo_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    """SIGKILL in the middle: every server ends. The next run shows both verdicts and a page."""
    killed = _start(tmp_path, "killed")
    _wait_for(tmp_path, "conductor ready")
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=10)
    assert _gone("killed"), [process.cmdline() for process in marked(MARK, "killed")]

    whole = _start(tmp_path, "whole")
    printed, _ = whole.communicate(timeout=400)
    assert whole.returncode == 0, printed + (tmp_path / "demo.log").read_text()
    assert re.findall(r"^[✓✗] ([A-Z]+)\b", printed, flags=re.M) == ["MATCHED", "DIVERGED"]
    assert "first divergent step: merge_transcripts" in printed
    lines = [line for line in block() if not re.search(r"\d\dZ$", line)]
    assert not missing_lines(printed, lines), "the README shows another demo than this one"
    assert (tmp_path / "out/demo.html").stat().st_size > 10_000
    assert len((tmp_path / "out/demo.jsonl").read_text().splitlines()) == 2
    assert _gone("whole")


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """Interrupted while servers start: exit 130, and all of them end."""
    process = _start(tmp_path, "interrupted")
    _wait_for(tmp_path, "redis ready")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert _gone("interrupted")

"""A step is its own files and one row: everything serves a made-up one, nothing else edited."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ROOT / "tests/made_up_step"
PACKAGE = "reflector_migrate"
FILES = {
    "contract.txt": f"{PACKAGE}/pipeline/contracts/keywords.py",
    "step.txt": f"{PACKAGE}/pipeline/steps/find_keywords.py",
    "worker.txt": f"{PACKAGE}/conductor/workers/find_keywords.py",
}
BEFORE = '    StepSpec(\n        "finalize",\n'


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the package makes of one more step, in a copy of it."""
    copy = tmp_path_factory.mktemp("package")
    for name in (PACKAGE, "comparators", "reports"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for part, place in FILES.items():
        shutil.copyfile(PARTS / part, copy / place)
    rows = copy / PACKAGE / "model/steps.py"
    source = rows.read_text(encoding="utf-8")
    assert source.count(BEFORE) == 1
    row = (PARTS / "row.txt").read_text(encoding="utf-8")
    rows.write_text(source.replace(BEFORE, row + BEFORE), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(PARTS / "uses.py"), str(copy)],
        env={**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{ROOT}"},
        cwd=copy, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_defined_for_conductor(found):
    """With the row's times and retries and the contract's fields, in a process of its group."""
    definition = found["definition"]
    times = ("timeoutSeconds", "responseTimeoutSeconds", "retryCount", "retryDelaySeconds")
    assert [definition[name] for name in times] == [90, 45, 2, 2]
    assert definition["inputKeys"] == ["run", "topics"]
    assert definition["outputKeys"] == ["keywords"]
    assert found["group"] == ["light"]


def test_it_is_run_by_the_runner_through_its_worker(found):
    """On JSON, to its contract, with its digests and the attempts that its row allows."""
    worked = found["worked"]
    assert worked["told"] == ["started", "completed"], worked["reason"]
    assert worked["output"]["keywords"] == ["budget", "hiring", "quarterly"]
    assert worked["output"]["_meta"]["attempts"] == 3
    assert worked["output"]["_meta"]["output_digest"]


def test_its_events_and_its_progress_are_published(found):
    """The dictionary has its own event and its progress; it counts for its part of the whole."""
    assert set(found["events"]) == {"KEYWORDS", "PIPELINE_PROGRESS"}
    assert found["percent"] == 100 * 14 // 15


def test_it_is_blamed(found):
    """For another output, and for an event of its own that is missing; not where all agrees."""
    assert [blame["step"] for blame in found["blamed"]] == ["find_keywords"] * 2
    assert found["agreed"] is None


def test_it_is_explained(found):
    """As a link of the chain of evidence, between its inputs and what differs."""
    (link,) = found["explained"]
    assert (link["inputs"], link["outputs"]) == ("agree", "differ")


def test_it_is_reported(found):
    """In the waterfall, and with the finding about its column."""
    assert "find_keywords" in found["reported"]
    assert "keywords" in found["reported"].replace("find_keywords", "")

"""The judgement of stored observations is what it was: verdicts, checks, findings, blame."""

from __future__ import annotations

from difflib import unified_diff
from itertools import islice

import pytest

from reflector_migrate.pipeline.defects.registry import all_defects
from reflector_migrate.sandbox.recordings import load_recordings
from tests.golden import (
    GOLDEN,
    JUDGEMENTS,
    judgement_file,
    judgement_of,
    judgement_of_reports,
    observations_of,
    recordings,
)

pytestmark = pytest.mark.heavy

SHOWN = 80  # lines
SLOW = ("german", "three-voices", "zero-start")  # the noisy ones; silent-track stands for them
CASES = [
    pytest.param(name, marks=pytest.mark.heavy if name in SLOW else ()) for name in recordings()
]
HELP = "if this is meant: python -m tests.golden --write, and explain the diff in the commit"


def assert_as_before(name: str, now: str) -> None:
    """Nothing is concluded otherwise than the stored file says."""
    before = judgement_file(name).read_text(encoding="utf-8")
    lines = unified_diff(before.splitlines(), now.splitlines(), "before", "now", "", "", 2, "")
    assert now == before, "\n".join([HELP, *islice(lines, SHOWN)])


@pytest.mark.parametrize("name", CASES)
def test_the_judgement_is_as_before(name: str) -> None:
    """Every stored candidate of the recording: the whole comparison and its chain of evidence."""
    assert_as_before(name, judgement_of(observations_of(name)))


def test_what_a_night_counts_is_as_before() -> None:
    """The gists of the reports' synthetic comparisons."""
    assert_as_before("reports", judgement_of_reports())


def test_one_lost_word_is_noticed() -> None:
    """The text that is held equal contains the consequence of the smallest change."""
    seen = observations_of("contracts")
    outputs = seen["candidate"].outputs
    shorter = outputs.model_copy(update={"words": outputs.words[:-1]})
    changed = {**seen, "candidate": seen["candidate"].model_copy(update={"outputs": shorter})}
    assert judgement_of(changed) != judgement_file("contracts").read_text(encoding="utf-8")


def test_every_recording_run_and_defect_is_stored() -> None:
    """What is added later is recorded too: python -m tests.golden_recording, or with its NAME."""
    runs = {f"run-{path.parent.name}" for path in GOLDEN.parent.glob("runs/*/scenario.json")}
    assert {*recordings()} == {*load_recordings(GOLDEN.parent / "recordings")} | runs | {
        "contracts"
    }
    assert {path.stem for path in JUDGEMENTS.iterdir()} == {*recordings(), "reports"}
    stored = {(name, seen) for name in recordings() for seen in observations_of(name)}
    wanted = {(name, defect.name) for defect in all_defects() for name in defect.all_recordings}
    assert wanted - stored == set()

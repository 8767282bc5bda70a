"""The page of defects under noise: a tick is for what was caught, and nothing else exits 0."""

from __future__ import annotations

import pytest

from bench.noisy import _exit_code, _line
from reflector_migrate.experiments.defect_proofs import DefectProof
from reflector_migrate.model import Verdict


def _proof(why="", *, caught=True):
    return DefectProof(
        defect="date_lost", says="x", caught=caught, layer="G0 summary facts",
        expected_step="generate_summary", recordings=("solo",), verdicts={"solo": "WITHIN_NOISE"},
        why=why,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("proof", "mark", "told"),
    [
        pytest.param(_proof(), "✓", "", id="caught"),
        pytest.param(_proof("WITHIN_NOISE on solo", caught=False), "✗", "WITHIN_NOISE on solo",
                     id="taken for noise"),
        pytest.param(_proof("", caught=False), "✗", "", id="not caught, no reason given"),
        pytest.param(_proof("blamed on finalize"), "✗", "blamed on finalize", id="another step"),
        pytest.param(_proof("WITHIN_NOISE on pair, which it must not touch"), "✓", "",
                     id="another recording touched by noise alone"),
        pytest.param(_proof("DIVERGED on pair, which it must not touch"), "✗",
                     "DIVERGED on pair, which it must not touch", id="another recording touched"),
    ],
)  # fmt: skip
def test_a_line_says_what_is_not_as_it_must_be(proof, mark, told):
    """Within noise is fine for a recording that the defect does not touch, and only for that."""
    line = _line(proof)
    assert line.startswith(f"| {mark} `date_lost`")
    assert line.endswith(f"| {told} |")


def test_a_miss_or_a_false_alarm_ends_with_1():
    """All caught and none flagged ends with 0."""
    spared = {"solo": _Found(Verdict.WITHIN_NOISE)}
    assert _exit_code([_proof()], spared) == 0
    assert _exit_code([_proof(), _proof(caught=False)], spared) == 1
    assert _exit_code([_proof()], {"solo": _Found(Verdict.DIVERGED)}) == 1


class _Found:
    """A comparison of which only the verdict is read."""

    def __init__(self, verdict):
        self.verdict = verdict

"""Every seeded defect, in process: caught, by the check it must be, at the step it is in."""

from __future__ import annotations

import pytest

from reflector_migrate.experiments.defect_proofs import proof_of
from reflector_migrate.model import Comparison, Verdict
from reflector_migrate.pipeline.defects.registry import all_defects

DEFECTS = {defect.name: defect for defect in all_defects()}
USED = sorted({recording for d in DEFECTS.values() for recording in d.all_recordings})

pytestmark = pytest.mark.heavy  # whole runs of the pipeline: two minutes of one core


@pytest.mark.parametrize("name", USED)
def test_without_a_defect_the_recording_matches(defects_world, name):
    """Whatever a defect is caught by below is the defect's doing."""
    found = defects_world.compared(name)
    assert found.verdict is Verdict.MATCHED, told(found)


@pytest.mark.parametrize("name", sorted(DEFECTS))
def test_the_defect_is_caught_at_its_step(defects_world, name):
    """On all its recordings: DIVERGED by the check declared, the right step named; none else."""
    defect = DEFECTS[name]
    found = defects_world.shows(defect)
    proof = proof_of(defect, found)
    assert proof.is_proven, "\n".join([proof.why, *map(told, found.values())])


def told(found: Comparison) -> str:
    """What a failing test shows."""
    checks = [
        f"{c.name} {c.verdict} {c.rule} {c.value} "
        f"{[f.message for f in (c.measure.findings if c.measure else ())][:3]} {c.note[-300:]}"
        for c in found.checks
        if c.verdict is not Verdict.MATCHED
    ]
    return f"{found.verdict} {found.first_divergent_step} " + "\n".join(checks)

"""Every seeded defect, in process: caught, by the check it must be, at the step it is in."""

from __future__ import annotations

import pytest

from reflector_migrate.model import Comparison, Verdict
from reflector_migrate.pipeline.defects import Defect, all_defects
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from tests.defects_world import RECORDINGS, DefectsWorld
from tests.pipeline_world import local_s3

DEFECTS = {defect.name: defect for defect in all_defects()}
pytestmark = pytest.mark.live  # whole runs of the pipeline: two minutes of one core

SHOWN = [(d.name, recording) for d in DEFECTS.values() for recording in d.recordings]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One world for all defects; its primary runs each recording once."""
    with (
        local_s3() as s3_url,
        running_standins(RECORDINGS) as url,
        StandinControl(url) as control,
    ):
        yield DefectsWorld.made(tmp_path_factory.mktemp("defects"), s3_url, control)


@pytest.mark.parametrize("name", sorted({recording for _, recording in SHOWN}))
def test_without_a_defect_the_recording_matches(world, name):
    """Whatever a defect is caught by below is the defect's doing."""
    found = world.compared(name)
    assert found.verdict is Verdict.MATCHED, told(found)


@pytest.mark.parametrize(("name", "recording"), SHOWN, ids=lambda v: v)
def test_the_defect_is_caught_at_its_step(world, name, recording):
    """DIVERGED, the declared check among those that say so, the right step named."""
    defect: Defect = DEFECTS[name]
    found = world.shows(defect, recording)
    assert found.verdict is Verdict.DIVERGED, told(found)
    diverged = {check.name for check in found.checks if check.verdict is Verdict.DIVERGED}
    assert defect.layer in diverged, told(found)
    assert found.first_divergent_step is not None
    assert found.first_divergent_step.step == defect.expected_step, told(found)


def told(found: Comparison) -> str:
    """What a failing test shows."""
    checks = [
        f"{c.name} {c.verdict} {c.rule} {c.value} "
        f"{[f.message for f in (c.measure.findings if c.measure else ())][:3]} {c.note[-300:]}"
        for c in found.checks
        if c.verdict is not Verdict.MATCHED
    ]
    return f"{found.verdict} {found.first_divergent_step} " + "\n".join(checks)

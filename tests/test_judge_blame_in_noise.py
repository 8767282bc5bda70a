"""Defects under noise: every digest of recognised and written text differs, and still.

Recogniser and language model err anew at each call; the primary runs twice, so that
each difference is judged against the primary's own.
"""

from __future__ import annotations

import pytest

from reflector_migrate.judge.agreement import Agreement
from reflector_migrate.judge.chain import chain
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Role
from reflector_migrate.pipeline.defects.registry import describe
from reflector_migrate.sandbox.recordings import load_recording
from tests.defects_world import RECORDINGS

pytestmark = pytest.mark.heavy
NAME = "three-voices"


@pytest.fixture(scope="module")
def noisy(defects_world):
    """(world, primary, secondary, what the candidate starts from), noise on."""
    defects_world.control.set_noise("recogniser", wer=0.04, seed=11)
    defects_world.control.set_noise("llm", rate=0.3, seed=11)
    recording = load_recording(RECORDINGS, NAME)
    first, _, _ = defects_world._primary(recording, {})
    primary, about, taken = defects_world._primary(recording, {})
    return defects_world, primary, first.model_copy(update={"role": Role.SECONDARY}), (about, taken)


def _compared(noisy, *defects):
    world, primary, secondary, start = noisy
    candidate = world.candidate(*start, defects)
    return compare(primary, candidate, secondary=secondary), primary, candidate


def test_noise_alone_blames_no_step_for_certain(noisy):
    """Recognition and texts differ in every digest, structure in none; nothing diverged."""
    found, primary, candidate = _compared(noisy)
    assert found.verdict != "DIVERGED", [c.name for c in found.checks if c.verdict == "DIVERGED"]
    links = chain(primary.steps, candidate.steps, found.checks)
    states = {(link.step, link.track_index): link.outputs for link in links}
    assert {states["pad_track", t] for t in range(3)} == {Agreement.AGREE}
    assert states["mixdown_tracks", None] is Agreement.AGREE
    noisy_steps = [("transcribe_track", t) for t in range(3)] + [("merge_transcripts", None)]
    assert any(states[key] is not Agreement.AGREE for key in noisy_steps)


@pytest.mark.parametrize(
    "name",
    ["tracks_swapped", "participants_by_join_order", "waveform_of_256_values",
     "padding_not_applied", "last_span_lost", "webhook_payload_lacks_field", "title_not_stored",
     "duration_in_seconds", "zulip_posted_twice"],
)  # fmt: skip
def test_the_defect_is_still_blamed_on_its_step(noisy, name):
    """What noise can make is not taken for the defect, and the defect not for noise."""
    found, _, _ = _compared(noisy, name)
    assert found.verdict == "DIVERGED"
    assert found.first_divergent_step is not None
    expected = describe(name).expected_step
    assert found.first_divergent_step.step == expected, found.first_divergent_step

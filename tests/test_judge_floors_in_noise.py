"""Defects under noise, compared with a floor of legacy's own pairs that is not zero.

Recogniser and language model err anew at each call. Seven legacy runs of a recording
give twenty-one pairs: not independent, so no percentile to gate by, but all of them
legacy's noise as it is.
"""

from __future__ import annotations

from itertools import combinations

import pytest

from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.cross_run import divergences
from reflector_migrate.judge.noise import MIN_PAIRS, floors_of, stratum_of
from reflector_migrate.model import Verdict
from reflector_migrate.pipeline.defects.registry import describe
from reflector_migrate.sandbox.recordings import load_recording
from tests.defects_world import RECORDINGS, DefectsWorld

pytestmark = pytest.mark.heavy
NAMES = ("solo", "pair-late-joiner")
RUNS = 7


class Noisy:
    """A world with noise on; of each recording legacy's runs, and floors of all their pairs."""

    def __init__(self, world: DefectsWorld) -> None:
        self.world = world
        made = {
            name: [world._primary(load_recording(RECORDINGS, name), {}) for _ in range(RUNS)]
            for name in NAMES
        }
        self.runs = {name: [run for run, _, _ in found] for name, found in made.items()}
        self.starts = {name: found[-1][1:] for name, found in made.items()}
        self.floors = {
            name: floors_of(
                (stratum_of(a), divergences(a, b)) for a, b in combinations(self.runs[name], 2)
            )
            for name in NAMES
        }

    def compared(self, name, *defects):
        """A candidate's run beside the last legacy run, by the recording's floors."""
        return next(self.compared_with_each(name, *defects))

    def compared_with_each(self, name, *defects):
        """A candidate's run beside each legacy run, the last one first."""
        candidate = self.world.candidate(*self.starts[name], defects)
        for run in reversed(self.runs[name]):
            yield compare(run, candidate, floors=self.floors[name])


@pytest.fixture(scope="module")
def noisy(defects_world):
    """Legacy's runs are made once."""
    defects_world.control.set_noise("recogniser", wer=0.02, seed=11)
    defects_world.control.set_noise("llm", rate=0.3, seed=11)
    return Noisy(defects_world)


@pytest.mark.parametrize("name", NAMES)
def test_the_floors_are_of_noise(noisy, name):
    """Enough pairs, and neither words nor facts of legacy agree with themselves."""
    stratum = stratum_of(noisy.runs[name][0])
    for measure in ("words", "summary_facts"):
        floor = noisy.floors[name].of(measure, stratum)
        assert floor.n >= MIN_PAIRS
        assert floor.p99 > 0


@pytest.mark.parametrize(
    ("name", "defect", "check", "said"),
    [
        ("solo", "summary_number_altered", "summary_facts", "altered figures: "),
        ("solo", "summary_date_altered", "summary_facts", "altered dates: "),
        ("pair-late-joiner", "summary_negation_lost", "summary_facts", "altered negations: "),
        ("pair-late-joiner", "words_renormalised", "words_raw", ""),
        ("pair-late-joiner", "words_in_wrong_track_time", "word_times", ""),
        ("pair-late-joiner", "title_not_stored", "title", ""),
    ],
)
def test_the_defect_diverges_beyond_the_floor(noisy, name, defect, check, said):
    """By the check that must catch it, whose floor is legacy's; the step it is in is named.

    Noise may have made one legacy run mishear the very fact that the defect alters.
    """
    for found in noisy.compared_with_each(name, defect):
        against = {c.name: c for c in found.checks if c.verdict is Verdict.DIVERGED}
        if check in against and against[check].note.startswith(said):
            break
    assert check in against, found.checks
    assert against[check].rule == "aa-p99+margin"
    assert against[check].note.startswith(said)
    assert found.first_divergent_step.step == describe(defect).expected_step


@pytest.mark.parametrize("name", NAMES)
def test_an_unaltered_candidate_does_not(noisy, name):
    """Noise of its own is within legacy's."""
    found = noisy.compared(name)
    assert found.verdict is Verdict.WITHIN_NOISE, [c for c in found.checks if c.value]

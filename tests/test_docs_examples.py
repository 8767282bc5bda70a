"""The worked examples of the documents: our own code comes to the numbers that they print."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from comparators.alignment.transcript_pair import Transcripts
from comparators.facts.speaker_attribution import attributions
from comparators.registry import by_name
from reflector_migrate.judge.context import Grounds
from reflector_migrate.judge.cross_run import Repeats
from reflector_migrate.judge.gates.eprocess import Process
from reflector_migrate.judge.noise import Floor, NoiseFloors, exchanged
from reflector_migrate.judge.threshold import Held, hold_all
from reflector_migrate.model import Measure, Outputs, Participant, Verdict, Word
from tests.comparing import STRATUM, observation
from tests.gates_world import RULES

DOCS = Path(__file__).parents[1] / "docs"
VERDICTS = (DOCS / "how-verdicts-work.md").read_text(encoding="utf-8")
GATES = (DOCS / "gates.md").read_text(encoding="utf-8")
RUN = observation(Outputs())


def _held(candidate: float, secondary: float | None = None, **floors: Floor) -> Held:
    """`words` of 1,000, by the distances of the candidate from L1 and L2; A/A is 4 %."""
    known = {name: {("words", STRATUM): floor} for name, floor in floors.items()}
    repeats = (
        Repeats(between_legacy={"words": 0.04}, from_secondary={"words": secondary})
        if secondary is not None
        else Repeats()
    )
    grounds = Grounds(RUN, RUN, floors=NoiseFloors(**known), repeats=repeats, stratum=STRATUM)
    measure = Measure(name="words", kind="graded", errors=1000 * candidate, length=1000)
    return hold_all(by_name("words"), measure, grounds)


@pytest.mark.parametrize(
    ("candidate", "secondary", "verdict", "row"),
    [
        pytest.param(0.05, 0.06, Verdict.WITHIN_NOISE, ("1.5 pp", "-1.5 pp", "0.0 pp"), id="good"),
        pytest.param(
            0.09, 0.10, Verdict.DIVERGED, ("5.5 pp", "-3.5 pp", "-2.0 pp"), id="loses words"
        ),
    ],
)
def test_the_example_of_an_excess(
    candidate: float, secondary: float, verdict: Verdict, row: tuple[str, str, str]
) -> None:
    """Excess, exchanged excesses, floor, limit and verdict are as the page says."""
    held = _held(candidate, secondary, excesses=Floor(0.018, 20))
    assert (held.verdict, held.rule) == (verdict, "excess-p99+margin")
    assert held.floor
    assert (held.floor.p99, held.limit) == (pytest.approx(0.053), pytest.approx(0.063))
    found = (candidate + secondary) / 2 - 0.04, *exchanged(candidate, secondary, 0.04)
    assert tuple(f"{100 * x + 0:.1f} pp".replace("-0.0", "0.0") for x in found) == row
    assert all(f"= {shown}" in VERDICTS for shown in row)


@pytest.mark.parametrize(
    ("candidate", "secondary", "pairs", "verdict", "rule"),
    [
        pytest.param(0.09, None, 20, Verdict.WITHIN_NOISE, "aa-p99+margin", id="stored pairs"),
        pytest.param(
            0.05, 0.06, 19, Verdict.WITHIN_NOISE, "own-secondary", id="within its own pair"
        ),
        pytest.param(
            0.09, 0.10, 19, Verdict.INCONCLUSIVE, "own-secondary", id="beyond its own pair"
        ),
        pytest.param(0.21, 0.21, 0, Verdict.DIVERGED, "own-secondary", id="far beyond it"),
        pytest.param(
            0.21, 0.21, 19, Verdict.INCONCLUSIVE, "own-secondary", id="a wider stored pair"
        ),
    ],
)
def test_the_example_without_enough_recordings_for_an_excess(
    candidate: float, secondary: float | None, pairs: int, verdict: Verdict, rule: str
) -> None:
    """The same two candidates, judged by pairs of which the widest is 12 %."""
    floors = {"floors": Floor(0.12, pairs)} if pairs else {}
    held = _held(candidate, secondary, **floors)
    assert (held.verdict, held.rule) == (verdict, rule)


SAID = {
    0: "We sold forty crates of pears at the harbour market on Saturday",
    1: "Our bakery oven broke and the repair costs a fortune",
}
EXCHANGED = (
    "Cy sold forty crates of pears at the market. Ann said that the oven broke and the repair "
    "costs a fortune."
)
TAKEN_ON = "Cy said that the oven broke. Ann will pay the fortune that the oven's repair costs."


@pytest.mark.parametrize(
    ("summary", "found"),
    [
        pytest.param(EXCHANGED, {"ann says what cy said", "cy says what ann said"}, id="exchanged"),
        pytest.param(TAKEN_ON, set(), id="a task taken on"),
    ],
)
def test_the_example_of_attributions(summary: str, found: set[str]) -> None:
    """Names that changed places are found, a task that one person takes on is not."""
    words = tuple(
        Word(text=f"{text} ", start=n, end=n + 0.5, speaker=speaker)
        for speaker, line in SAID.items()
        for n, text in enumerate(line.split(), start=100 * speaker)
    )
    people = tuple(
        Participant(id=name, speaker=n, name=name) for n, name in enumerate(["Ann", "Cy"])
    )
    run = observation(Outputs(words=words, participants=people))
    wrong = attributions(summary, "en", Transcripts().of(run), people, ["Ann", "Cy"])
    assert {fact.value for fact in wrong} == found
    flat = " ".join(VERDICTS.replace("> ", "").split())
    assert summary in flat
    assert all(line in flat for line in SAID.values())


def test_the_example_of_a_bet() -> None:
    """The numbers of the simple bet, and those of the real one for the rules that ship."""
    for x, factor in ((-2, "1.30"), (0, "1.10"), (1, "1.00"), (3, "0.80")):
        assert f"{1 + 0.1 * (1 - x):.2f}" == factor
        assert f"| {factor} |" in GATES
    assert 1.1**31 < 20 < 1.1**32
    [rule] = [gate for gate in RULES.gates if "words" in gate.measures]
    equal, worse = (Process(np.full(60, x), rule.design) for x in (0.0, 3.0))
    assert int(np.argmax(equal.log_wealth(1.0, "below") >= math.log(20))) + 1 == 33
    fails_at = 20 * RULES.tests
    assert int(np.argmax(worse.log_wealth(1.0, "above") >= math.log(fails_at))) + 1 == 42
    assert f"{fails_at} for the {RULES.tests} of the rules that ship" in GATES
    interval = Process(np.zeros(40), rule.design).interval(RULES.alpha)
    shown = (
        f"{math.floor(100 * interval.low) / 100:.2f} to +{math.ceil(100 * interval.high) / 100:.2f}"
    )
    assert f"it is\n{shown} pp" in GATES or f"it is {shown} pp" in GATES

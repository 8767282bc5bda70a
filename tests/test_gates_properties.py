"""What holds for every cohort: order, added evidence, rounding, and the 5 %."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reflector_migrate.judge.gates.answers import Decided, GateAnswer, rounded_down, rounded_up
from reflector_migrate.judge.gates.clusters import Clusters
from reflector_migrate.judge.gates.eprocess import Design, Process, Side
from reflector_migrate.judge.gates.evidence import EvidenceLine, Outcome
from reflector_migrate.judge.gates.gate import judge
from reflector_migrate.judge.gates.rules import read_rules
from reflector_migrate.model import GateVerdict
from tests.gates_world import RULES, TEXT, excess, gate, line, night_of, normal

pytestmark = pytest.mark.heavy

FAIL, PASS = GateVerdict.FAIL, GateVerdict.PASS
SMALL = read_rules(TEXT.replace("require_n = 30", "require_n = 3"), "rules.toml").model_copy(
    update={
        "gates": tuple(
            rule.model_copy(update={"require_n": 3, "limit": rule.limit and 0.3,
                                    "stratum_limit": rule.stratum_limit and 0.5})
            for rule in RULES.gates
        )
    }
)  # fmt: skip
"""The shipped gates, deciding after few recordings, so that small cohorts reach decisions."""


@st.composite
def evidence(draw: st.DrawFn, most: int = 25) -> list[EvidenceLine]:
    """Lines of any kind, of few recordings in few nights, good and bad ones."""
    found = []
    for _ in range(draw(st.integers(0, most))):
        index = draw(st.integers(0, 30))
        kind = draw(st.sampled_from(["x", "exact", "catastrophe", "coverage", "outcome", "time"]))
        said: dict[str, Any] = {
            "x": {"measure": "words", "x_pp": draw(st.floats(-20, 60))},
            "exact": {"measure": "row", "exact_findings": draw(st.integers(0, 1))},
            "catastrophe": {
                "measure": "catastrophes", "catastrophe": draw(st.sampled_from(["", "words/empty"]))
            },
            "coverage": {
                "measure": "coverage", "coverage": draw(st.sampled_from(["compared", "lost"]))
            },
            "outcome": {
                "measure": "completion",
                "outcome": Outcome(
                    primary=draw(st.sampled_from(["completed", "failed"])),
                    candidate=draw(st.sampled_from(["completed", "failed"])),
                    cause=draw(st.sampled_from(["", "outage"])),
                ),
            },
            "time": {"measure": "latency", "log_ratio": draw(st.floats(-2, 2))},
        }[kind]  # fmt: skip
        # a failed pair leaves out its run's outputs; runs of their own keep the kinds apart
        found.append(line(index, run=kind, **said))
    return found


@st.composite
def later(draw: st.DrawFn) -> list[EvidenceLine]:
    """More evidence, all of nights after the others; a run may have the name of an earlier one."""
    return [found.model_copy(update={"night": "2026-04-01"}) for found in draw(evidence())]


def states(lines: list[EvidenceLine]) -> dict[Any, GateVerdict]:
    """Every gate's state."""
    return {(a.gate, a.stratum): a.state for a in answers(lines)}


def counts(lines: list[EvidenceLine]) -> dict[Any, tuple[Any, ...]]:
    """State, value and number of each gate that counts, and on how many are missing."""
    return {
        (a.gate, a.stratum): (a.state, a.value, a.n, a.needs)
        for a in answers(lines)
        if a.layer in {"G0", "G2"}
    }


def answers(lines: list[EvidenceLine]) -> tuple[GateAnswer, ...]:
    """Every gate, by rules that decide early."""
    return judge(lines, SMALL).gates


@given(evidence(), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_order_within_a_night_does_not_matter_to_g0_and_g2(
    lines: list[EvidenceLine], chance: random.Random
) -> None:
    """Exact differences, failures and catastrophes are counted, whenever they arrived."""
    shuffled = list(lines)
    chance.shuffle(shuffled)
    shuffled.sort(key=lambda found: found.night)
    lines = sorted(lines, key=lambda found: found.night)
    assert counts(lines) == counts(shuffled)


@given(evidence(), st.one_of(evidence(), later()))
@settings(max_examples=25, deadline=None)
def test_adding_evidence_never_unfails_a_build(
    lines: list[EvidenceLine], more: list[EvidenceLine]
) -> None:
    """A gate that failed stays failed, whatever comes afterwards and of whatever night."""
    before, after = states(lines), states(lines + more)
    assert {key for key, state in before.items() if state is FAIL} <= {
        key for key, state in after.items() if state is FAIL
    }


def test_a_run_that_fails_later_takes_no_difference_back() -> None:
    """Also where a file names no runs: the pair of that night had its difference."""
    before = [line(i, "row", exact_findings=int(i == 2), run="") for i in range(9)]
    failed = Outcome(primary="failed", candidate="failed")
    after = line(2, "completion", outcome=failed, run="", night="2026-04-01")
    assert states(before)["row", "all"] is states([*before, after])["row", "all"] is FAIL


@pytest.mark.parametrize("seed", range(3))
def test_good_recordings_never_unfail_a_mean(seed: int) -> None:
    """300 better ones after the failure do not take it back."""
    bad = [line(i, x_pp=x) for i, x in enumerate(normal(4, 2, 200, seed))]
    good = [line(200 + i, x_pp=-5.0) for i in range(300)]
    for lines in (bad, bad + good):
        failed = next(
            a for a in judge(lines, RULES).gates if (a.gate, a.stratum) == ("words", "all")
        )
        assert failed.state is FAIL


def test_a_series_that_comes_back_takes_no_failure_back() -> None:
    """Nor does it move a decision: what was reckoned of the recordings before stands."""
    values = np.random.default_rng(1).normal(4, 1, 37)
    before = excess(values, stratum="")
    before = [found.model_copy(update={"series": found.recording}) for found in before]
    again = line(99, x_pp=-10.0, stratum="", series="rec-0000")
    [first, after] = [gate(judge(found, RULES), "words") for found in (before, [*before, again])]
    assert first.state is after.state is FAIL
    assert first.first_decided == after.first_decided == Decided(n=37, night=night_of(36))


@given(evidence())
@settings(max_examples=20, deadline=None)
def test_the_same_input_gives_the_same_bytes(lines: list[EvidenceLine]) -> None:
    """No clock, no chance, no order of a set."""
    again = [EvidenceLine.model_validate_json(found.model_dump_json()) for found in lines]
    assert judge(lines, RULES).model_dump_json() == judge(again, RULES).model_dump_json()


@given(evidence())
@settings(max_examples=20, deadline=None)
def test_what_is_shown_of_an_open_gate_is_short_of_its_limit(lines: list[EvidenceLine]) -> None:
    """Rounding never opens a gate: neither the state nor the figure beside it."""
    for found in answers(lines):
        if found.state is PASS or found.value is None or found.limit is None:
            continue
        if found.unit in ("W+", "share") and found.n >= 3:
            assert found.value < found.limit or found.state is FAIL, found


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_rounding_goes_one_way(value: float, digits: int) -> None:
    """Down never rises, up never falls, and neither by more than a step."""
    step = 10.0**-digits
    near = abs(value) * 1e-12
    assert value - step - near <= rounded_down(value, digits) <= value
    assert value <= rounded_up(value, digits) <= value + step + near


def test_a_share_just_short_is_shown_short() -> None:
    """98.996 % is neither 99 % nor shown as such."""
    fates = ["compared"] * 9_998 + ["lost"] * 101
    lines = [line(0, "coverage", recording=f"r{i}", coverage=fate) for i, fate in enumerate(fates)]
    found = next(a for a in judge(lines, RULES).gates if a.gate == "coverage")
    assert (found.state, found.value) == (GateVerdict.INCONCLUSIVE, 0.9899)


SHAPES = {
    "normal": lambda rng, size: rng.normal(0, 2, size),
    "skewed": lambda rng, size: rng.exponential(2, size) - 2,
    "heavy-tailed": lambda rng, size: rng.standard_t(3, size) * 2 / np.sqrt(3),
    "zero-inflated": lambda rng, size: (rng.random(size) < 0.2) * rng.normal(0, 4.5, size),
}


@pytest.mark.parametrize("side", ["below", "above"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_at_the_margin_a_decision_is_wrong_in_at_most_one_of_twenty(shape: Any, side: Side) -> None:
    """600 cohorts whose clipped mean is the margin, looked at after each of 300 recordings."""
    design, margin = Design(10.0, 2.0), 1.0
    rng = np.random.default_rng(7)
    values = np.clip(shape(rng, (600, 300)) + margin, -10, 10)
    values += margin - np.clip(shape(rng, 200_000) + margin, -10, 10).mean()
    wealth = Process(values, design).log_wealth(margin, side)
    assert (wealth.max(-1) >= np.log(20)).mean() <= 0.05


@pytest.mark.parametrize("effect", [0.3, 1.0])
@pytest.mark.parametrize("is_declared", [True, False], ids=["declared", "not measured"])
def test_nights_that_share_an_effect_do_not_inflate_error(effect: float, is_declared: bool) -> None:
    """Thirty recordings a night, fed singly: 12 % and 53 % would pass wrongly if not paid for."""
    rng = np.random.default_rng(11)
    night = np.arange(900) // 30
    values = 1 + rng.normal(0, 2, (300, 900)) + rng.normal(0, effect, (300, 30))[:, night]
    nights = Clusters(night, effect if is_declared else None, 2.0)
    design = Design(10.0, 2.0)
    paid = Process(values, design, [nights]).log_wealth(1.0, "below").max(-1) >= np.log(20)
    singly = Process(values, design).log_wealth(1.0, "below").max(-1) >= np.log(20)
    assert paid.mean() <= 0.05 < singly.mean()


def test_an_equal_candidate_passes_as_soon_as_promised() -> None:
    """Median recordings to a PASS at a true change of 0, by the spread of x."""
    rng = np.random.default_rng(13)
    for sd, promised in ((1.0, 36), (2.0, 40), (3.0, 60), (5.0, 140)):
        values = rng.normal(0, sd, (500, 400))
        wealth = Process(values, Design(max(10.0, 4 * sd), sd)).log_wealth(1.0, "below")
        reached = wealth >= np.log(20)
        first = np.where(reached.any(-1), reached.argmax(-1) + 1, 10_000)
        assert np.median(first) <= promised, sd

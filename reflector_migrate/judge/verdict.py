"""A recording's verdict: each measure judged by a named rule, the worst one counts.

Exact measures are equal or not. Graded ones of exactly 0 match with no floor at
all; others are held against the A/A 99th percentile plus a practical margin, and
are inconclusive without one. Timing and cost never enter.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from comparators.registry import COMPARATORS, Comparator
from reflector_migrate.judge.noise import (
    DEFAULT_MARGIN,
    MARGINS,
    Floor,
    NoiseFloors,
    excess,
    stratum_of,
)
from reflector_migrate.judge.waivers import Waived, Waiver, apply
from reflector_migrate.model import Check, Measure, Observation, Verdict

SINGLE_PAIR_FACTOR = 4.0
"""One A/A pair is no percentile: beyond its limit is inconclusive, beyond 4 x it is different."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What measures are judged against; `spent` counts what capped waivers have covered."""

    reference: Observation
    hypothesis: Observation
    secondary: Observation | None = None
    floors: NoiseFloors | None = None
    waivers: Sequence[Waiver] = ()
    today: date | None = None
    spent: Counter[Waiver] = field(default_factory=Counter)


def completion(reference: Observation, hypothesis: Observation) -> Check:
    """Whether there is a pair to judge at all, by who finished."""
    mine, theirs = reference.status, hypothesis.status
    for side, status, where in (
        ("reference", mine, reference),
        ("hypothesis", theirs, hypothesis),
    ):
        if status in {"missing", "running"}:
            note = f"{side} ({where.engine}) is {status}"
            return _completion(Verdict.INCONCLUSIVE, "pair-incomplete", note)
    if mine == theirs or {mine, theirs} == {"failed", "timed_out"}:
        return _alike(reference, hypothesis)
    if theirs == "completed":
        note = f"the reference ({reference.engine}) {mine}: {reference.error or 'no reason given'}"
        return _completion(Verdict.INCONCLUSIVE, "reference-failed", note)
    note = f"the hypothesis ({hypothesis.engine}) {theirs}: {hypothesis.error or 'no reason given'}"
    return _completion(Verdict.DIVERGED, "hypothesis-failed", note)


def _alike(reference: Observation, hypothesis: Observation) -> Check:
    """Both completed, or both failed: then for the same step, as far as both sides say."""
    if reference.status == "completed":
        return _completion(Verdict.MATCHED, "completion", "")
    mine, theirs = failed_steps(reference), failed_steps(hypothesis)
    if mine and theirs and not mine & theirs:
        where = f"{', '.join(sorted(mine))} here, {', '.join(sorted(theirs))} there"
        return _completion(Verdict.INCONCLUSIVE, "failed-apart", f"both sides failed, at {where}")
    where = f" at {', '.join(sorted(mine & theirs))}" if mine & theirs else ""
    note = f"both sides {reference.status}{where}; what both have is compared"
    return _completion(Verdict.MATCHED, "completion", note)


def failed_steps(observation: Observation) -> frozenset[str]:
    """Steps whose last attempt did not complete."""
    last = {(s.name, s.track_index): s.status for s in observation.steps}
    return frozenset(name for (name, _), how in last.items() if how in ("failed", "timed_out"))


def _completion(verdict: Verdict, rule: str, note: str) -> Check:
    return Check(name="completion", verdict=verdict, rule=rule, note=note)


def checks(grounds: Grounds, comparators: Sequence[Comparator] = COMPARATORS) -> tuple[Check, ...]:
    """The completion check and, where both sides exist, one check a comparator."""
    first = completion(grounds.reference, grounds.hypothesis)
    if first.rule == "pair-incomplete":
        return (first,)
    judged = [check_one(comparator, grounds) for comparator in comparators]
    if first.rule == "reference-failed":
        judged = [_unjudged(check) for check in judged]
    return (first, *judged)


def overall(judged: Sequence[Check]) -> Verdict:
    """The worst check; INCONCLUSIVE when no measure had anything to compare."""
    entering = [check for check in judged if check.rule != "informational"]
    measured = any(check.measure is not None and check.measure.length for check in entering)
    worst = Verdict.worst([check.verdict for check in entering])
    if not measured and worst in {Verdict.MATCHED, Verdict.WITHIN_NOISE, Verdict.WAIVED}:
        return Verdict.INCONCLUSIVE
    return worst


def check_one(comparator: Comparator, grounds: Grounds) -> Check:
    """One comparator's measure as judged; a comparator that raises is ERRORED, never a match."""
    try:
        measure = comparator.compare(grounds.reference, grounds.hypothesis)
        return _judged(comparator, measure, grounds)
    except Exception as error:  # whatever a comparator does, the others still report
        return Check(
            name=comparator.name,
            verdict=Verdict.ERRORED,
            rule="errored",
            note=f"{type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
        )


def _judged(comparator: Comparator, measure: Measure, grounds: Grounds) -> Check:
    """The rule that fits the measure's kind."""
    if measure.kind == "informational":
        return Check(
            name=comparator.name,
            verdict=Verdict.MATCHED,
            rule="informational",
            measure=measure,
            note="gated by night, not here",
        )
    if measure.inconclusive:
        return _check(measure, Verdict.INCONCLUSIVE, "not-comparable", note=measure.inconclusive)
    if not measure.errors:
        rule = "equal" if measure.length else "empty-on-both-sides"
        return _check(measure, Verdict.MATCHED, rule)
    waived = apply(measure, grounds.waivers, grounds.today, grounds.spent)
    judged = _exact(waived) if measure.kind == "exact" else _graded(comparator, waived, grounds)
    return judged.model_copy(update={"waived": waived.waived, "improved": waived.improved})


def _check(measure: Measure, verdict: Verdict, rule: str, note: str = "") -> Check:
    return Check(
        name=measure.name,
        verdict=verdict,
        rule=rule,
        measure=measure,
        value=measure.divergence,
        note=note,
    )


def _exact(waived: Waived) -> Check:
    """Equal or not, what is waived aside."""
    note = "; ".join(waived.notes)
    if not waived.is_covered:
        return _check(waived.measure, Verdict.DIVERGED, "exact", note)
    return _check(waived.measure, *_covered(waived), note)


def _covered(waived: Waived) -> tuple[Verdict, str]:
    """All of it waived, or legacy's own defects put right."""
    if waived.waived:
        return Verdict.WAIVED, "waived"
    return Verdict.MATCHED, "improvement"


def _graded(comparator: Comparator, waived: Waived, grounds: Grounds) -> Check:
    """Against the stratum's floor, else this recording's own A/A pair, else inconclusive."""
    measure = waived.measure
    own, x = _secondary(comparator, measure, grounds)
    floor = grounds.floors and grounds.floors.of(measure.name, stratum_of(grounds.reference))
    margin = MARGINS.get(measure.name, DEFAULT_MARGIN)
    value = measure.divergence or 0.0
    if floor:
        verdict, rule = _against(value, floor, margin)
    elif own is not None:
        floor = Floor(own, 1)
        verdict, rule = _against_one(value, own, margin)
    else:
        verdict, rule = Verdict.INCONCLUSIVE, "no-floor"
    if verdict in {Verdict.DIVERGED, Verdict.INCONCLUSIVE} and waived.is_covered:
        verdict, rule = _covered(waived)
    return _check(measure, verdict, rule, "; ".join(waived.notes)).model_copy(
        update={
            "floor": floor.p99 if floor else None,
            "limit": floor.p99 + margin if floor else None,
            "n": floor.n if floor else 0,
            "excess": x,
        }
    )


def _against(value: float, floor: Floor, margin: float) -> tuple[Verdict, str]:
    """A/A p99 plus the practical margin."""
    within = value <= floor.p99 + margin
    return (Verdict.WITHIN_NOISE if within else Verdict.DIVERGED), "aa-p99+margin"


def _against_one(value: float, own: float, margin: float) -> tuple[Verdict, str]:
    """A single A/A pair: can show a difference small or huge, nothing between."""
    if value <= own + margin:
        return Verdict.WITHIN_NOISE, "own-secondary"
    huge = value > SINGLE_PAIR_FACTOR * (own + margin)
    return (Verdict.DIVERGED if huge else Verdict.INCONCLUSIVE), "own-secondary"


def _secondary(
    comparator: Comparator, measure: Measure, grounds: Grounds
) -> tuple[float | None, float | None]:
    """This recording's own d(L1, L2) and excess x; None where no secondary completed."""
    secondary = grounds.secondary
    if secondary is None or secondary.status != "completed":
        return None, None
    d_l1l2 = comparator.compare(grounds.reference, secondary).divergence
    d_l2c = comparator.compare(secondary, grounds.hypothesis).divergence
    d_l1c = measure.divergence
    if d_l1l2 is None or d_l2c is None or d_l1c is None:
        return None, None
    return d_l1l2, excess(d_l1c, d_l2c, d_l1l2)


def _unjudged(check: Check) -> Check:
    """The reference failed: its half-made outputs are no yardstick."""
    if check.rule == "informational" or check.verdict is Verdict.ERRORED:
        return check
    return check.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "rule": "reference-failed"})

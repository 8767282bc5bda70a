"""A recording's verdict: each measure judged by a named rule, the worst one counts.

Exact measures are equal or not. Graded ones of exactly 0 match with no floor at
all; others are held against the A/A 99th percentile plus a practical margin, and
are inconclusive without one. Facts are exact until the words they follow differ, or
legacy is known to contradict itself. Timing and cost never enter.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from comparators.columns import word_pair
from comparators.registry import COMPARATORS, Comparator, by_name
from reflector_migrate.judge.noise import (
    DEFAULT_MARGIN,
    MARGINS,
    MIN_PAIRS,
    Floor,
    NoiseFloors,
    stratum_of,
)
from reflector_migrate.judge.repeats import FACTS, INVENTED, Repeats, invented_share, repeats_of
from reflector_migrate.judge.waivers import Waived, Waiver, apply
from reflector_migrate.model import Check, Finding, Measure, Observation, Severity, Verdict

FEW_PAIRS_FACTOR = 4.0
"""Few A/A pairs are no percentile: beyond their limit is inconclusive, beyond 4 x it differs."""
CATASTROPHES = "catastrophes"
WRITTEN = FACTS | {
    "topic_boundaries", "topic_content", "title", "short_summary", "long_summary",
}  # fmt: skip
"""By a language model: two texts that happen to agree say nothing of how far a third may lie."""


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
    earlier: Observation | None = None  # another run of the candidate
    repeats: Repeats = field(default_factory=Repeats)

    def with_repeats(self, comparators: Sequence[Comparator]) -> Grounds:
        """The same, the distances of all further runs measured once."""
        runs = self.reference, self.hypothesis, self.secondary, self.earlier
        return replace(self, repeats=repeats_of(*runs, comparators))


@dataclass(frozen=True, slots=True)
class Held:
    """A value held against a floor, and what came of it."""

    verdict: Verdict
    rule: str
    floor: Floor | None = None
    margin: float = 0.0
    note: str = ""


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
    """Both completed, or both failed: that is agreement only about a step that both name."""
    if reference.status == "completed":
        return _completion(Verdict.MATCHED, "completion", "")
    mine, theirs = failed_steps(reference), failed_steps(hypothesis)
    if not mine & theirs:
        where = f"{_named(mine, reference)} here, {_named(theirs, hypothesis)} there"
        return _completion(Verdict.INCONCLUSIVE, "failed-apart", f"both sides failed, {where}")
    where = ", ".join(sorted(mine & theirs))
    note = f"both sides {reference.status} at {where}; what both have is compared"
    return _completion(Verdict.MATCHED, "completion", note)


def _named(steps: frozenset[str], observation: Observation) -> str:
    """The steps that failed, else the run's own words for what did."""
    return ", ".join(sorted(steps)) or f"no step named ({observation.error or 'no reason given'})"


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
    grounds = grounds.with_repeats(comparators)
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
        broken = grounds.repeats.broken.get(comparator.name)
        if broken and measure.kind != "informational":
            return _errored(comparator.name, broken, measure)
        return _with_repeats(_judged(measure, grounds), grounds.repeats)
    except Exception:  # whatever a comparator does, the others still report
        return _errored(comparator.name, traceback.format_exc())


def _errored(name: str, trace: str, measure: Measure | None = None) -> Check:
    """Never a match: neither on the pair judged nor on a further run of either engine."""
    return Check(
        name=name,
        verdict=Verdict.ERRORED,
        rule="errored",
        measure=measure,
        value=measure.divergence if measure else None,
        note=trace.strip().splitlines()[-1],
        traceback=trace,
    )


def _judged(measure: Measure, grounds: Grounds) -> Check:
    """The rule that fits the measure's kind."""
    if measure.kind == "informational":
        return Check(
            name=measure.name,
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
    judged = _by_kind(waived, grounds)
    return judged.model_copy(update={"waived": waived.waived, "improved": waived.improved})


def _by_kind(waived: Waived, grounds: Grounds) -> Check:
    """A measure that differs, by what it may be held against."""
    measure = waived.measure
    if measure.name in FACTS and not waived.is_covered:
        return _against_floor(waived, _facts(measure, grounds))
    if measure.name == CATASTROPHES and not waived.is_covered and _is_legacys_own(measure, grounds):
        return _check(measure, Verdict.INCONCLUSIVE, "legacy-does-too", "; ".join(waived.notes))
    if measure.kind == "exact":
        return _exact(waived)
    return _against_floor(waived, _held(measure.name, measure.divergence or 0.0, grounds))


def _is_legacys_own(measure: Measure, grounds: Grounds) -> bool:
    """Whether the second legacy run, too, lies so far from the first: then nothing is shown."""
    if grounds.secondary is None or not grounds.repeats.between_legacy.get(measure.name):
        return False
    between = by_name(CATASTROPHES).compare(grounds.reference, grounds.secondary)
    own = {finding.path for finding in between.findings}
    return all(finding.path in own for finding in measure.findings if not finding.waiver)


def _with_repeats(check: Check, repeats: Repeats) -> Check:
    """What further runs say of it, whatever the verdict."""
    if check.measure is None or check.measure.kind == "informational" or not repeats.has_pair:
        return check
    value = check.measure.divergence
    return check.model_copy(
        update={
            "between_legacy": repeats.between_legacy.get(check.name),
            "from_secondary": repeats.from_secondary.get(check.name),
            "excess": repeats.excess(check.name, value),
            "shift": repeats.shift(check.name, value),
        }
    )


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


def _against_floor(waived: Waived, held: Held) -> Check:
    """A check by what its value was held against, what is waived aside."""
    verdict, rule = held.verdict, held.rule
    if verdict in {Verdict.DIVERGED, Verdict.INCONCLUSIVE} and waived.is_covered:
        verdict, rule = _covered(waived)
    note = "; ".join([*waived.notes, *([held.note] if held.note else [])])
    return _check(waived.measure, verdict, rule, note).model_copy(
        update={
            "floor": held.floor.p99 if held.floor else None,
            "limit": held.floor.p99 + held.margin if held.floor else None,
            "n": held.floor.n if held.floor else 0,
        }
    )


def _held(name: str, value: float, grounds: Grounds) -> Held:
    """Against the stratum's floor, else this recording's own A/A pair, else inconclusive."""
    margin = 0.0 if name.removesuffix(INVENTED) in FACTS else MARGINS.get(name, DEFAULT_MARGIN)
    floors, own = grounds.floors, grounds.repeats.between_legacy.get(name)
    floor = floors and floors.of(name, stratum_of(grounds.reference))
    if floors and floor:
        verdict = _beside(name, value, floor, margin, is_quiet=floors.is_quiet)
        return Held(verdict, "aa-p99+margin", floor, margin, _few(floor))
    if own is not None:
        verdict = _beside(name, value, Floor(own, 1), margin, is_quiet=grounds.repeats.is_quiet)
        note = "its own A/A pair only"
        return Held(verdict, "own-secondary", Floor(own, 1), margin, note)
    return Held(Verdict.INCONCLUSIVE, "no-floor")


def _few(floor: Floor) -> str:
    return f"{floor.n} A/A pairs of {MIN_PAIRS}" if floor.n < MIN_PAIRS else ""


def _beside(name: str, value: float, floor: Floor, margin: float, *, is_quiet: bool) -> Verdict:
    """A/A p99 plus the practical margin; few pairs show a difference small or huge only."""
    limit = floor.p99 + margin
    if value <= limit:
        return Verdict.WITHIN_NOISE
    is_far = value > FEW_PAIRS_FACTOR * limit and (is_quiet or name not in WRITTEN)
    return Verdict.DIVERGED if floor.n >= MIN_PAIRS or is_far else Verdict.INCONCLUSIVE


def _facts(measure: Measure, grounds: Grounds) -> Held:
    """Facts follow the words: exact while those agree, else held against what legacy does.

    Facts that nobody said are held on their own, against those that legacy invents.
    """
    found = _held(measure.name, measure.divergence or 0.0, grounds)
    if found.rule == "no-floor":
        return found if _words_differ(grounds) else Held(Verdict.DIVERGED, "exact")
    if not any(_is_invented(finding) for finding in measure.findings):
        return found
    invented = _held(measure.name + INVENTED, invented_share(measure) or 0.0, grounds)
    return min(found, invented, key=lambda held: list(Verdict).index(held.verdict))


def _is_invented(finding: Finding) -> bool:
    is_unsaid = finding.severity is Severity.CRITICAL
    return finding.kind == "extra" and is_unsaid and not finding.waiver


def _words_differ(grounds: Grounds) -> bool:
    """Whether any word was heard otherwise: then a fact may have been, too.

    A blank or a comma is no word, and changes no fact.
    """
    pair = word_pair(grounds.reference, grounds.hypothesis)
    return pair.reference.tokens != pair.hypothesis.tokens


def _unjudged(check: Check) -> Check:
    """The reference failed: its half-made outputs are no yardstick."""
    if check.rule == "informational" or check.verdict is Verdict.ERRORED:
        return check
    return check.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "rule": "reference-failed"})

"""A recording's verdict: each measure judged by a named rule, the worst one counts.

Exact measures are equal or not. Graded ones of exactly 0 match with no floor at
all; others are held against the A/A 99th percentile plus a practical margin, and
are inconclusive without one. Facts are exact where nothing they follow may differ:
words and the language model's answers; else they are graded. Timing and cost never enter.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace

from comparators.registry import MeasureSpec
from reflector_migrate.judge.context import Grounds
from reflector_migrate.judge.could_not_run import why_it_could_not_run
from reflector_migrate.judge.cross_run import Repeats
from reflector_migrate.judge.threshold import Held, hold_all, is_determined
from reflector_migrate.judge.waivers import Waived, apply
from reflector_migrate.model import UNREADABLE, Check, Measure, Observation, Verdict


def checks(grounds: Grounds) -> tuple[Check, ...]:
    """The completion check and, where both sides exist, one check for each measure."""
    first = completion(grounds.reference, grounds.hypothesis)
    if first.rule in {"pair-incomplete", "unreadable"}:
        return (first,)
    judged = [check_one(spec, grounds) for spec in grounds.measures]
    if first.rule in {"reference-failed", "outage-met-by-both"}:
        judged = [_unjudged(check, first.rule) for check in judged]
    return (first, *judged)


def overall(judged: Sequence[Check]) -> Verdict:
    """The worst check; INCONCLUSIVE when no measure had anything to compare."""
    entering = [check for check in judged if check.rule != "informational"]
    measured = any(check.measure is not None and check.measure.length for check in entering)
    worst = Verdict.worst([check.verdict for check in entering])
    if not measured and worst in {Verdict.MATCHED, Verdict.WITHIN_NOISE, Verdict.WAIVED}:
        return Verdict.INCONCLUSIVE
    return worst


def check_one(spec: MeasureSpec, grounds: Grounds) -> Check:
    """One measure as judged; a comparator that raises is ERRORED, never a match."""
    try:
        measure = spec.compare(grounds.reference, grounds.hypothesis, grounds.transcripts)
        broken = grounds.repeats.broken.get(spec.name)
        if broken and measure.kind != "informational":
            return _errored(spec.name, broken, measure)
        return _with_repeats(_judged(spec, measure, grounds), grounds.repeats)
    except Exception:  # whatever a comparator does, the others still report
        return _errored(spec.name, traceback.format_exc())


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


def _judged(spec: MeasureSpec, measure: Measure, grounds: Grounds) -> Check:
    """The rule that fits the measure's kind."""
    if measure.kind == "informational":
        return Check(
            name=measure.name,
            verdict=Verdict.MATCHED,
            rule="informational",
            measure=measure,
            note="judged nightly, not here",
        )
    if measure.inconclusive:
        return _check(measure, Verdict.INCONCLUSIVE, "not-comparable", note=measure.inconclusive)
    if not measure.errors:
        rule = "equal" if measure.length else "empty-on-both-sides"
        return _check(measure, Verdict.MATCHED, rule)
    waived = apply(measure, grounds.waivers, grounds.today, grounds.spent)
    waived = replace(waived, measure=spec.with_parts(waived.measure))
    judged = _by_kind(spec, waived, grounds)
    return judged.model_copy(update={"waived": waived.waived, "improved": waived.improved})


def _by_kind(spec: MeasureSpec, waived: Waived, grounds: Grounds) -> Check:
    """A measure that differs, by what it may be held against.

    Facts follow words and answers: they are exact where both agree, else held against what
    legacy does.
    """
    measure = waived.measure
    if spec.is_exact_on_equal_inputs and not waived.is_covered:
        return _against_floor(waived, _held_facts(spec, measure, grounds))
    if (
        spec.is_excused_by_secondary
        and not waived.is_covered
        and _is_of_legacy_too(measure, grounds.repeats)
    ):
        return _check(measure, Verdict.INCONCLUSIVE, "legacy-does-too", "; ".join(waived.notes))
    if measure.kind == "exact":
        note = "; ".join(waived.notes)
        if not waived.is_covered:
            return _check(waived.measure, Verdict.DIVERGED, "exact", note)
        return _check(waived.measure, *_covered(waived), note)
    return _against_floor(waived, hold_all(spec, measure, grounds))


def _held_facts(spec: MeasureSpec, measure: Measure, grounds: Grounds) -> Held:
    """Exact where nothing they follow may differ; altered against both legacy runs; else graded."""
    if is_determined(measure.step, grounds):
        return Held(Verdict.DIVERGED, "exact")
    if why := _altered_against_both(spec, measure, grounds):
        return Held(Verdict.DIVERGED, "legacy-agrees", note=why)
    return hold_all(spec, measure, grounds)


def _altered_against_both(spec: MeasureSpec, measure: Measure, grounds: Grounds) -> str:
    """What both legacy runs state and the candidate alters, where all three have the same words."""
    between = grounds.repeats.legacy_measures.get(measure.name)
    if spec.contradicted is None or between is None or grounds.secondary is None:
        return ""
    for run in (grounds.hypothesis, grounds.secondary):
        pair = grounds.transcripts.words(grounds.reference, run)
        if pair.reference.tokens != pair.hypothesis.tokens:
            return ""
    return spec.contradicted(measure, between)


def _is_of_legacy_too(measure: Measure, repeats: Repeats) -> bool:
    """Whether the second legacy run, too, lies so far from the first: then nothing is shown."""
    between = repeats.legacy_measures.get(measure.name)
    if between is None or not between.errors:
        return False
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
            "value": waived.measure.divergence if held.value is None else held.value,
            "floor": held.floor.p99 if held.floor else None,
            "limit": held.limit,
            "n": held.floor.n if held.floor else 0,
        }
    )


def _unjudged(check: Check, rule: str) -> Check:
    """The reference failed, or a server failed both: half-made outputs cannot be a standard."""
    if check.rule == "informational" or check.verdict is Verdict.ERRORED:
        return check
    return check.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "rule": rule})


def completion(reference: Observation, hypothesis: Observation) -> Check:
    """A candidate that failed counts against it, unless it could not run.

    A reference that failed concludes nothing.
    """
    for side in (reference, hypothesis):
        name = f"{side.role} ({side.engine})"
        if (side.error or "").startswith(UNREADABLE):
            verdict = Verdict.ERRORED if side is reference else Verdict.DIVERGED
            return _completion(verdict, "unreadable", f"{name}: {side.error}")
        if side.status in {"missing", "running"}:
            note = f"{name} is {side.status}"
            return _completion(Verdict.INCONCLUSIVE, "pair-incomplete", note)
    statuses = {reference.status, hypothesis.status}
    if len(statuses) == 1 or statuses == {"failed", "timed_out"}:
        return _alike(reference, hypothesis)
    is_candidates = reference.status == "completed"
    side = hypothesis if is_candidates else reference
    note = f"the {side.role} ({side.engine}) {side.status}: {side.error or 'no reason given'}"
    if not is_candidates:
        return _completion(Verdict.INCONCLUSIVE, "reference-failed", note)
    if why := why_it_could_not_run(reference, hypothesis):
        return _completion(Verdict.INCONCLUSIVE, "pair-incomplete", f"{why}; {note}")
    return _completion(Verdict.DIVERGED, "hypothesis-failed", note)


def _alike(reference: Observation, hypothesis: Observation) -> Check:
    """Both completed, or both failed: that is agreement only about a step that both name."""
    if reference.status == "completed":
        lacking = _lacking(reference, hypothesis)
        if lacking:
            return _completion(Verdict.INCONCLUSIVE, "too-little-evidence", lacking)
        return _completion(Verdict.MATCHED, "completion", "")
    mine, theirs = failed_steps(reference), failed_steps(hypothesis)
    if _is_outage(hypothesis, theirs):
        where = ", ".join(sorted(theirs))
        note = f"both sides {reference.status}; a server failed the candidate at {where}"
        return _completion(Verdict.INCONCLUSIVE, "outage-met-by-both", note)
    if not mine & theirs:
        where = f"{_named(mine, reference)} here, {_named(theirs, hypothesis)} there"
        return _completion(Verdict.INCONCLUSIVE, "failed-apart", f"both sides failed, {where}")
    where = ", ".join(sorted(mine & theirs))
    note = f"both sides {reference.status} at {where}; what both have is compared"
    return _completion(Verdict.MATCHED, "completion", note)


def _is_outage(hypothesis: Observation, steps: frozenset[str]) -> bool:
    """Whether a server failed one of these steps: the input alone would have failed it again."""
    last = {(s.name, s.track_index): s for s in hypothesis.steps if s.name in steps}
    return any(step.cause is not None for step in last.values())


def _lacking(*sides: Observation) -> str:
    """What a completed recording has and a side does not show: then agreement says nothing."""
    has = {
        "words or a duration": [bool(s.outputs.words or s.outputs.duration_ms) for s in sides],
        "participants": [bool(s.outputs.participants) for s in sides],
        "a stored row": [bool(s.outputs.row) for s in sides],
        "events": [bool(s.events) for s in sides],
    }
    neither = [name for name, shown in has.items() if not any(shown)]
    one = [name for name, shown in has.items() if any(shown) and not all(shown)]
    told = [f"neither side shows {', '.join(neither)}"] if neither else []
    return "; ".join([*told, *([f"one side does not show {', '.join(one)}"] if one else [])])


def _named(steps: frozenset[str], observation: Observation) -> str:
    """The steps that failed, else the run's own words for what did."""
    return ", ".join(sorted(steps)) or f"no step named ({observation.error or 'no reason given'})"


def failed_steps(observation: Observation) -> frozenset[str]:
    """Steps whose last attempt did not complete."""
    last = {(s.name, s.track_index): s.status for s in observation.steps}
    return frozenset(name for (name, _), how in last.items() if how in ("failed", "timed_out"))


def _completion(verdict: Verdict, rule: str, note: str) -> Check:
    return Check(name="completion", verdict=verdict, rule=rule, note=note)

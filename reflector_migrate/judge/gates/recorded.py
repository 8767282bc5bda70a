"""From one comparison to its lines of evidence: only what has a verdict says anything."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

from comparators.registry import MEASURES
from reflector_migrate.judge.gates.baseline import PACE, log_pace_of
from reflector_migrate.judge.gates.evidence import EvidenceLine, Origin, Outcome
from reflector_migrate.judge.noise import base_stratum
from reflector_migrate.model import Check, Comparison, Measure, Side, Verdict

VERSION = 3
"""Version of what evidence_of says. Bump it with each change: stored lines are rebuilt."""

HAS_VERDICT = frozenset({Verdict.MATCHED, Verdict.WAIVED, Verdict.WITHIN_NOISE, Verdict.DIVERGED})
ENDED = frozenset({"completed", "failed", "timed_out"})
COMPLETION, CATASTROPHES, TIMINGS, COST = "completion", "catastrophes", "timings", "cost"
LOG_RATIO, END_TO_END = "log_ratio_", "wall"


def evidence_of(
    comparison: Comparison,
    night: str,
    *,
    origin: Origin | None = None,
    has_pace: bool = False,
) -> tuple[EvidenceLine, ...]:
    """The comparison's lines. A pair in which a side failed has one of its outcome alone.

    A pair in which a side is still running or missing gives no line, and a graded measure none
    without a second legacy run: floors of before pass everything once both engines are quieter.
    Without `origin` the comparison's own counts. `has_pace` adds the primary's pace, to be held
    against a baseline.
    """
    primary, candidate = comparison.primary, comparison.candidate
    if not {primary.status, candidate.status} <= ENDED:
        return ()
    line = partial(
        EvidenceLine,
        recording=comparison.recording,
        run=comparison.run_id,
        night=night,
        stratum=base_stratum(
            comparison.track_count or 0, comparison.duration_s or 0.0, comparison.language
        ),
        builds={"primary": primary.build, "candidate": candidate.build},
        configuration=comparison.configuration,
        models=comparison.models,
        normaliser=comparison.normaliser,
        series=comparison.series,
        origin=origin or comparison.origin or "deployment",
        defects=comparison.defects,
    )
    outcome = Outcome(
        primary=_ended(primary), candidate=_ended(candidate), cause=_cause(comparison)
    )
    lines = [line(measure=COMPLETION, outcome=outcome)]
    if outcome.is_complete:
        for check in comparison.checks:
            lines += [line(**said) for said in _said(check)]
        lines += [line(**said) for said in _cost(primary, candidate)]
        lines += [line(**said) for said in _of_the_plugin(comparison)]
        lines += [line(**said) for said in _pace(comparison)] if has_pace else []
    return tuple(lines)


def _ended(side: Side) -> Any:
    return "completed" if side.status == "completed" else "failed"


def _of_the_plugin(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """What the plugin in the primary's worker cost it; nothing where its spans did not come."""
    if comparison.plugin_errors is not None:
        yield {"measure": "primary_errors", "exact_findings": comparison.plugin_errors}
    if comparison.plugin_share is not None:
        yield {"measure": "dispatch_overhead", "x_pp": _as_pp(comparison.plugin_share)}


def _pace(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Not yet a ratio: baseline.against_baseline makes it one."""
    pace = log_pace_of(comparison.primary_run_s, comparison.duration_s, comparison.track_count)
    if pace is not None:
        yield {"measure": PACE, "log_ratio": pace}


def _cause(comparison: Comparison) -> Literal["", "candidate", "outage"]:
    """Why a candidate failed: by an outage where the judge concluded nothing from its failure."""
    first = next((check for check in comparison.checks if check.name == COMPLETION), None)
    is_alone = comparison.primary.status == "completed" != comparison.candidate.status
    if first is None or not is_alone:
        return ""
    return "outage" if first.verdict is Verdict.INCONCLUSIVE else "candidate"


def _said(check: Check) -> Iterator[dict[str, Any]]:
    """What one check says to the gates: nothing where nothing was compared or concluded."""
    measure = check.measure
    if measure is None or not measure.length:
        return
    if measure.name == TIMINGS:
        yield from _ratios(measure)
    elif measure.name == CATASTROPHES:
        yield from _catastrophe(check, measure)
    elif _is_mean(measure) and check.rule != "exact":
        yield from _excess(check, measure)
    elif measure.kind != "informational" and check.verdict in HAS_VERDICT:
        standing = sum(not finding.waiver for finding in measure.findings)
        is_against = check.verdict is Verdict.DIVERGED
        count = max(standing + measure.findings_truncated, 1) if is_against else 0
        yield {"measure": check.name, "exact_findings": count, "waived": check.waived}


def _is_mean(measure: Measure) -> bool:
    """Graded, or a measure of facts that is exact only where both sides had the same inputs."""
    spec = MEASURES.of(measure.name)
    return measure.kind == "graded" or bool(spec and spec.is_exact_on_equal_inputs)


def _excess(check: Check, measure: Measure) -> Iterator[dict[str, Any]]:
    """x over a second legacy run."""
    is_judged = check.verdict is not Verdict.ERRORED and not measure.inconclusive
    if is_judged and check.excess is not None:
        yield {"measure": check.name, "x_pp": _as_pp(check.excess)}


def _as_pp(share: float) -> float:
    return min(max(100 * share, -100.0), 100.0)


def _catastrophe(check: Check, measure: Measure) -> Iterator[dict[str, Any]]:
    """Which one stands, if any; one that the second legacy run has too is legacy's own."""
    standing = [finding.path for finding in measure.findings if not finding.waiver]
    named = standing[0].removeprefix(f"{CATASTROPHES}/") if standing else ""
    if check.rule == "legacy-does-too":
        yield {"measure": CATASTROPHES, "catastrophe": "", "legacy_catastrophe": named}
    elif check.verdict in HAS_VERDICT:
        yield {"measure": CATASTROPHES, "catastrophe": named, "waived": check.waived}


def _ratios(measure: Measure) -> Iterator[dict[str, Any]]:
    """End to end as `latency`, each step as `latency/STEP`."""
    for name, ratio in sorted(measure.stats.items()):
        if name.startswith(LOG_RATIO):
            step = name.removeprefix(LOG_RATIO)
            of = "latency" if step == END_TO_END else f"latency/{step}"
            yield {"measure": of, "log_ratio": ratio}


def _cost(primary: Side, candidate: Side) -> Iterator[dict[str, Any]]:
    """Only where both sides are priced: an unknown price is not zero."""
    if primary.cost_microdollars and candidate.cost_microdollars:
        ratio = math.log(candidate.cost_microdollars / primary.cost_microdollars)
        yield {"measure": COST, "log_ratio": ratio}

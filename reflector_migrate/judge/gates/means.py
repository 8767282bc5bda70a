"""G1 and its kin: a mean that must stay under a margin (excess, latency, cost, failures)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reflector_migrate.judge.adjudication import TEXTS
from reflector_migrate.judge.gates.answers import (
    Bounds,
    Clipped,
    Decided,
    GateAnswer,
    rounded_down,
    rounded_up,
)
from reflector_migrate.judge.gates.catastrophes import rate_at_most
from reflector_migrate.judge.gates.clusters import MIN_CLUSTERS, Clusters
from reflector_migrate.judge.gates.cohorts import once
from reflector_migrate.judge.gates.eprocess import (
    SHARE,
    SPREAD_WEIGHT,
    Floats,
    Interval,
    Process,
)
from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.question import Question, first_night
from reflector_migrate.judge.gates.rules import GateRule
from reflector_migrate.model.vocabulary import GateVerdict


@dataclass(frozen=True, slots=True)
class _Sample:
    """One value a recording, in the order of arrival, with what the values share."""

    lines: Sequence[EvidenceLine]
    values: Floats
    clusters: tuple[Clusters, ...]
    alpha: float


def judge_mean(question: Question) -> GateAnswer:
    """PASS when W+ ever reached 1/alpha, FAIL when W- ever reached tests/alpha.

    A FAIL says "different by more than the margin"; of an excess over noise it does not
    say "worse": that takes blind adjudication, or recordings with a human reference.
    """
    rule, rules = question.rule, question.rules
    margin = rule.margins[question.stratum is not None]
    shown_margin = (question.stratum and rule.stratum_margin) or rule.margin
    sample = _sample(question)
    n = len(sample.lines)
    if not n:
        return question.unanswered(
            _missing(rule, margin, sample, 0.0),
            limit=1 / rules.alpha, unit="W+", margin=shown_margin,
        )  # fmt: skip
    process = Process(sample.values, rule.design, sample.clusters)
    below, above = process.log_wealth(margin, "below"), process.log_wealth(margin, "above")
    interval = process.interval(sample.alpha)
    shared: dict[str, Any] = {
        "n": n,
        "margin": shown_margin,
        "bounds": _bounds(rule, interval, sample),
        "clipped": _clipped(question, max(margin, interval.high), sample),
    }
    failed = _first(above, math.log(rules.tests / rules.alpha), 1)
    passed = _first(below, math.log(1 / sample.alpha), rule.require_n)
    text = _text(question, shared["bounds"], interval)
    clipped = _said_of(shared["clipped"], n)
    if failed is not None:
        decided = Decided(n=failed + 1, night=sample.lines[failed].night)
        return question.answer(
            GateVerdict.FAIL, **shared, **_wealth(above, rules.tests / rules.alpha, "W-"),
            why=f"{text}{clipped}; more than {_shown(rule, shown_margin)}{_advice(question)}",
            since=decided.night, first_decided=decided,
        )  # fmt: skip
    shared |= _wealth(below, 1 / sample.alpha, "W+")
    if passed is not None:
        decided = Decided(n=passed + 1, night=sample.lines[passed].night)
        return question.answer(
            GateVerdict.PASS, **shared, why=f"{text}; under {_shown(rule, shown_margin)}{clipped}",
            since=decided.night, first_decided=decided,
        )  # fmt: skip
    missing = _missing(rule, margin, sample, float(below[-1]))
    return question.answer(
        GateVerdict.INCONCLUSIVE, **shared, why=f"{text}{_held_by(rule, sample, missing)}{clipped}",
        since=first_night(line.night for line in sample.lines),
        needs=question.needs(missing, n),
    )  # fmt: skip


def _sample(question: Question) -> _Sample:
    """The question's values: x, logarithms of ratios, or failures of one side only."""
    rule, rules = question.rule, question.rules
    if rule.kind == "parity":
        lines = [
            line
            for line in question.evidence.lines
            if line.outcome is not None
            and "completed" in (line.outcome.primary, line.outcome.candidate)
            and (question.stratum is None or question.stratum in line.facets)
        ]
    else:
        entry = "log_ratio" if rule.kind == "ratio" else "x_pp"
        found = question.evidence.of(question.measure, question.stratum)
        lines = [line for line in found if getattr(line, entry) is not None]
    lines = once(lines)
    has_floor = any(line.against == "floor" for line in lines)
    return _Sample(
        lines,
        np.array([_value(line) for line in lines], float),
        clusters_of(
            rule,
            [line.night for line in lines],
            [line.series or f"\0{line.recording}" for line in lines],
        ),
        rules.alpha - rules.floor_alpha if has_floor else rules.alpha,
    )


def _value(line: EvidenceLine) -> float:
    """What the line adds to the mean; of a pair's outcome, the candidate's failure alone."""
    if line.outcome is not None:
        failures = [side == "failed" for side in (line.outcome.candidate, line.outcome.primary)]
        return 100.0 * (failures[0] - failures[1])
    return (line.x_pp if line.x_pp is not None else line.log_ratio) or 0.0


def clusters_of(
    rule: GateRule, nights: Sequence[Hashable], series: Sequence[Hashable]
) -> tuple[Clusters, ...]:
    """Nights and meeting series, each recording's own; what shares nothing is left out.

    Both from the first recording on, whatever comes later: a decision is never reckoned again.
    """
    if not nights:
        return ()
    sd, of_night, of_series = rule.design.sd, rule.effect("night"), rule.effect("series")
    shares = (
        (of_night, Clusters(nights, of_night, sd)),
        (of_series, Clusters(series, of_series, sd, holds_bet=False, size=1.0)),
    )
    return tuple(found for effect, found in shares if effect != 0)


def _first(path: Floats, limit: float, at_least: int) -> int | None:
    """Where the path first has reached the limit with at least so many values."""
    reached = np.maximum.accumulate(path) >= limit
    reached[: at_least - 1] = False
    return int(np.argmax(reached)) if reached.any() else None


def _wealth(path: Floats, limit: float, unit: Literal["W+", "W-"]) -> dict[str, Any]:
    """The highest wealth so far against what it must reach."""
    highest = math.exp(min(float(path.max()), 30.0))
    return {"value": rounded_down(highest), "limit": rounded_up(limit), "unit": unit}


def _bounds(rule: GateRule, interval: Interval, sample: _Sample) -> Bounds:
    """The confidence sequence, rounded outwards, in percentage points or per cent."""
    clip = rule.design.clip
    mean = float(np.clip(sample.values, -clip, clip).mean())
    ends = interval.low, interval.high, mean
    if rule.kind == "ratio":
        ends = tuple(100 * math.expm1(end) for end in ends)  # type: ignore[assignment]
    return Bounds(
        low=rounded_down(ends[0]),
        high=rounded_up(ends[1]),
        mean=round(ends[2], 3),
        unit="%" if rule.kind == "ratio" else "pp",
        confidence=round(1 - sample.alpha, 6),
    )


def _clipped(question: Question, high: float, sample: _Sample) -> Clipped | None:
    """How many values were clipped, and how far those over could move a mean of at most `high`.

    None of a difference of failures: none lies beyond 100 pp.
    """
    rule, clip = question.rule, question.rule.design.clip
    if rule.kind == "parity":
        return None
    beyond, is_ratio = int((sample.values > clip).sum()), rule.kind == "ratio"
    share = rate_at_most(beyond, len(sample.lines), question.rules.alpha)
    return Clipped(
        recordings=beyond,
        under=int((sample.values < -clip).sum()),
        at=rule.clip or 0.0,
        unit="%" if is_ratio else "pp",
        share_at_most=rounded_up(share, 4),
        mean_at_most_pp=None if is_ratio else rounded_up(high + share * (100 - clip)),
    )


def _said_of(clipped: Clipped | None, n: int) -> str:
    """What was clipped, as a person reads it; "" where nothing was."""
    if clipped is None or not (clipped.recordings or clipped.under):
        return ""
    low = -clipped.at if clipped.unit == "pp" else 100 / (1 + clipped.at / 100) - 100
    places = (clipped.recordings, f"over +{clipped.at:g}"), (clipped.under, f"under {low:.3g}")
    said = " and ".join(f"{number} {place} {clipped.unit}" for number, place in places if number)
    most = clipped.mean_at_most_pp
    whole = f", unclipped the mean is at most {most:g} pp" if clipped.recordings and most else ""
    return f"; clipped: {said}, of {n} recordings{whole}"


def _missing(rule: GateRule, margin: float, sample: _Sample, now: float) -> int | None:
    """About how many recordings more W+ takes, if they are like those so far; None: never so.

    `now` is the logarithm of W+ as it stands. Without a recording the design is asked.
    """
    n, design = len(sample.lines), rule.design
    clipped = np.clip(sample.values, -design.clip, design.clip)
    mean = float(clipped.sum()) / (n + SPREAD_WEIGHT)
    deviations = n * float(clipped.var()) if n else 0.0
    spread = (SPREAD_WEIGHT * design.sd**2 + deviations) / (n + SPREAD_WEIGHT)
    gain = margin - mean
    if gain <= 0.1 * margin:
        return None
    for cluster in sample.clusters:
        spread += float(cluster.variance(clipped)[-1]) * (n / len(cluster) - 1)
    spread += gain**2
    bet = min(gain / spread, SHARE / (design.clip - margin))
    growth = bet * gain - bet**2 * spread / 2
    to_go = math.log(1 / sample.alpha) + math.log(2) - max(now, -math.log(2))
    return max(math.ceil(to_go / growth), rule.require_n - n, 1)


def _text(question: Question, bounds: Bounds, interval: Interval) -> str:
    """The interval as a person says it."""
    what = {"parity": "failures beside the primary's", "ratio": "change"}.get(
        question.rule.kind, "excess"
    )
    if interval.low > interval.high:
        return f"{what}{question.place}: the mean moves, no one value fits all recordings"
    low, high = f"{bounds.low:+.2f}", f"{bounds.high:+.2f}"
    return f"{what}{question.place} between {low} and {high} {bounds.unit}"


def _shown(rule: GateRule, margin: float | None) -> str:
    return f"{margin:g} {'%' if rule.kind == 'ratio' else 'pp'}"


def _advice(question: Question) -> str:
    """An excess over noise shows a difference; which side is better is a reader's question."""
    if question.rule.layer != "G1":
        return ""
    command = f": migrate adjudicate {question.measure}" if question.measure in TEXTS else ""
    return f": different, not yet worse{command}"


def _held_by(rule: GateRule, sample: _Sample, missing: int | None) -> str:
    """Why there is no decision yet, beyond the interval."""
    nights = len({line.night for line in sample.lines})
    if rule.effect("night") is None and nights < MIN_CLUSTERS and sample.clusters:
        return f"; {nights} of the {MIN_CLUSTERS} nights that an unmeasured night effect takes"
    if missing is None:
        return "; at or over the margin so far"
    return f"; about {missing} recordings to go"

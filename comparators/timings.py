"""Informational: how long each step took on both sides, as paired log ratios.

Run time and queue wait apart; attempts of a step and its tracks are summed.
A time whose origin is unknown is never compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

from reflector_migrate.model import Amount, Measure, Observation, StepRun, Unit


def run_times_s(steps: Iterable[StepRun]) -> dict[str, float]:
    """Seconds each step ran, attempts and tracks summed; unknown times left out."""
    return _summed((s.name, s.started, s.ended) for s in steps if s.timed != "unknown")


def queue_times_s(steps: Iterable[StepRun]) -> dict[str, float]:
    """Seconds each step waited to be picked up."""
    return _summed((s.name, s.queued, s.started) for s in steps if s.timed != "unknown")


def _summed(spans: Iterable[tuple[str, datetime | None, datetime | None]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for name, begin, end in spans:
        if begin is not None and end is not None:
            sums[name] = sums.get(name, 0.0) + max((end - begin).total_seconds(), 0.0)
    return sums


def wall_s(observation: Observation) -> float | None:
    """Seconds from start to end; None while either is unknown."""
    if observation.started is None or observation.ended is None:
        return None
    return (observation.ended - observation.started).total_seconds()


def compare_timings(reference: Observation, hypothesis: Observation) -> Measure:
    """Per step and end to end: log(hypothesis / reference), and both sums."""
    mine, theirs = run_times_s(reference.steps), run_times_s(hypothesis.steps)
    both = sorted(name for name in mine if theirs.get(name, 0) > 0 and mine[name] > 0)
    ratios = {name: math.log(theirs[name] / mine[name]) for name in both}
    walls = wall_s(reference), wall_s(hypothesis)
    if walls[0] and walls[1] and min(w for w in walls if w) > 0:
        ratios["wall"] = math.log(walls[1] / walls[0])
    return Measure(
        name="timings",
        kind="informational",
        length=len(both),
        counts={
            "reference_wall_s": walls[0] or 0.0,
            "hypothesis_wall_s": walls[1] or 0.0,
            "reference_run_s": sum(mine.values()),
            "hypothesis_run_s": sum(theirs.values()),
            "reference_queue_s": sum(queue_times_s(reference.steps).values()),
            "hypothesis_queue_s": sum(queue_times_s(hypothesis.steps).values()),
            "paired_steps": len(both),
        },
        stats={f"log_ratio_{name}": ratio for name, ratio in ratios.items()},
        reference_text=_shown(walls[0]),
        hypothesis_text=_shown(walls[1]),
        reference_amount=_amount(walls[0]),
        hypothesis_amount=_amount(walls[1]),
    )


def _amount(seconds: float | None) -> Amount:
    if seconds is None:
        return Amount(unit=Unit.UNKNOWN)
    return Amount(unit=Unit.SECOND, number=round(seconds, 1))


def _shown(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return f"{int(seconds // 60)}m{seconds % 60:02.0f}s" if seconds >= 60 else f"{seconds:.1f}s"

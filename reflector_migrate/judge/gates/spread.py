"""How far legacy lies from itself at the gates: spread and night effect of x, from placebos.

A placebo's x is that of a candidate that changed nothing. So its spread is what `clip` and `sd` in
the rules must allow for, and what its nights share is the night effect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from reflector_migrate.judge.gates.clusters import MIN_CLUSTERS
from reflector_migrate.judge.gates.evidence import EvidenceLine


class Spread(NamedTuple):
    """x of one measure in one night: its recordings, mean and standard deviation, in pp."""

    n: int
    mean: float
    sd: float


class Pooled(NamedTuple):
    """x of one measure over nights; what they share is None for under five nights."""

    n: int
    nights: int
    sd: float
    night_effect: float | None


def spreads(lines: Iterable[EvidenceLine]) -> dict[str, Spread]:
    """Of every measure that two recordings or more have an excess of."""
    values: dict[str, list[float]] = {}
    for line in lines:
        if line.x_pp is not None:
            values.setdefault(line.measure, []).append(line.x_pp)
    return {
        name: Spread(len(found), round(fmean(found), 4), round(stdev(found), 4))
        for name, found in values.items()
        if len(found) > 1
    }


def pooled(nights: Sequence[Spread]) -> Pooled:
    """Of one measure: the spread of all recordings, and the nights' own by analysis of variance."""
    n = sum(night.n for night in nights)
    mean = sum(night.n * night.mean for night in nights) / n
    within = sum((night.n - 1) * night.sd**2 for night in nights)
    between = sum(night.n * (night.mean - mean) ** 2 for night in nights)
    sd = math.sqrt((within + between) / (n - 1))
    if len(nights) < MIN_CLUSTERS:
        return Pooled(n, len(nights), sd, None)
    degrees = len(nights) - 1
    size = (n - sum(night.n**2 for night in nights) / n) / degrees
    shared = (between / degrees - within / (n - len(nights))) / size
    return Pooled(n, len(nights), sd, math.sqrt(max(shared, 0.0)))

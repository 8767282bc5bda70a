"""Where whole tracks lie: what no single word's shift shows."""

from __future__ import annotations

from collections.abc import Sequence

from comparators.untimely import COLLAR_S
from reflector_migrate.model import Measure

NOTICED_S = 0.1
"""A whole track that is late by so much is told, though none of its words is displaced."""
MIN_WORDS = 8
"""Of a track, or of a third of one, before their median says where it lies: a few words may be
aligned amiss."""


def quantile(ordered: list[float], share: float) -> float:
    """The smallest value that `share` of the sorted values do not exceed; 0.0 of none."""
    return ordered[max(-(-len(ordered) * share // 1) - 1, 0).__int__()] if ordered else 0.0


def slope(at_s: list[float], by_s: list[float]) -> float:
    """Seconds of shift gained per second of meeting (least squares); 0.0 of fewer than two."""
    n = len(at_s)
    mean_at, mean_by = sum(at_s) / max(n, 1), sum(by_s) / max(n, 1)
    spread = sum((x - mean_at) ** 2 for x in at_s)
    if not spread:
        return 0.0
    return sum((x - mean_at) * (y - mean_by) for x, y in zip(at_s, by_s, strict=True)) / spread


def shares(measure: Measure) -> dict[str, float | None]:
    """Offset and drift of the worst track as shares of the collar, by name; None without words."""
    return {
        f"{measure.name}/{what}": min(measure.stats.get(f"{what}_s", 0.0) / COLLAR_S, 1.0)
        if measure.length
        else None
        for what in ("offset", "drift")
    }


def lateness(by_s: Sequence[float], speakers: Sequence[int]) -> dict[str, float]:
    """How late (or early) the worst track is, and how much later it ends than it begins."""
    tracks: dict[int, list[float]] = {}
    for by, speaker in zip(by_s, speakers, strict=True):
        tracks.setdefault(speaker, []).append(by)
    long = [by for by in tracks.values() if len(by) >= MIN_WORDS]
    offsets = [abs(quantile(sorted(by), 0.5)) for by in long]
    return {"offset_s": max(offsets, default=0.0), "drift_s": max(map(_drift, long), default=0.0)}


def is_late(by_s: Sequence[float]) -> bool:
    """Whether a whole track is, although by no word's measure."""
    return len(by_s) >= MIN_WORDS and abs(quantile(sorted(by_s), 0.5)) >= NOTICED_S


def _drift(by_s: list[float]) -> float:
    """Between the medians of a track's first and last third, in the order of time."""
    third = len(by_s) // 3
    ends = by_s[:third], by_s[len(by_s) - third :]
    if third < MIN_WORDS:
        return 0.0
    first, last = (quantile(sorted(end), 0.5) for end in ends)
    return abs(round(last - first, 6))

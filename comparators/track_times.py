"""Where whole tracks lie: what no single word's shift shows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from comparators.alignment.tcpwer import COLLAR_S
from comparators.alignment.transcript_pair import Columns
from reflector_migrate.model import Measure

NOTICED_S = 0.1
"""A whole track that is late by so much is reported, although none of its words is displaced."""
DISPLACED_S = 0.25
"""A word that starts or ends so much elsewhere is displaced."""
MIN_WORDS = 8
"""Of a track, or of a third of one, before their median says where it lies to the tenth."""
FEW_WORDS = 3
"""And before it says that they are displaced."""


def quantile(ordered: list[float], share: float) -> float:
    """The smallest value that `share` of the sorted values do not exceed; 0.0 of none."""
    return ordered[max(math.ceil(len(ordered) * share) - 1, 0)] if ordered else 0.0


def slope(at_s: list[float], by_s: list[float]) -> float:
    """Seconds of shift gained per second of meeting (least squares); 0.0 if no line can be fitted.

    That is with fewer than two points, or if squares overflow.
    """
    n = len(at_s)
    mean_at, mean_by = sum(at_s) / max(n, 1), sum(by_s) / max(n, 1)
    off_at = [x - mean_at for x in at_s]
    spread = sum(x * x for x in off_at)
    if not spread:
        return 0.0
    found = sum(x * (y - mean_by) for x, y in zip(off_at, by_s, strict=True)) / spread
    return found if math.isfinite(found) else 0.0


def parts(measure: Measure) -> tuple[Measure, ...]:
    """Offset and drift of the worst track as shares of the collar; no length without words."""
    shares = {
        what: min(measure.stats.get(f"{what}_s", 0.0) / COLLAR_S, 1.0) if measure.length else 0.0
        for what in ("offset", "drift")
    }
    return tuple(
        Measure(
            name=f"{measure.name}/{what}",
            kind="graded",
            errors=share,
            length=min(measure.length, 1),
            counts={"edits": measure.counts.get("moved", 0)},
            note=f"{what}: {share * COLLAR_S:.2f} s",
        )
        for what, share in shares.items()
    )


def gaps(columns: Columns) -> list[float]:
    """Of each word, how far its speaker's nearest word of the same token is; inf without one."""
    said = defaultdict[tuple[int, str], list[tuple[float, int]]](list)
    for token, place in zip(columns.tokens, columns.places, strict=True):
        word = columns.words[place]
        said[word.speaker, token].append((word.start, place))
    found = [math.inf] * len(columns.words)
    for same in said.values():
        same.sort()
        for (first, one), (second, other) in pairwise(same):
            found[one] = min(found[one], second - first)
            found[other] = min(found[other], second - first)
    return found


def is_told_apart(by_s: float, gap_s: float) -> bool:
    """Whether a word moved by less than halfway to its nearest namesake.

    Else the alignment may have taken one for the other: where the first of thirty
    `mhm` is not heard, all others lie one further on.
    """
    return abs(by_s) < gap_s / 2


def lateness(by_s: Sequence[float], speakers: Sequence[int]) -> dict[str, float]:
    """How late (or early) the worst track is, and how much later it ends than it begins."""
    tracks: dict[int, list[float]] = {}
    for by, speaker in zip(by_s, speakers, strict=True):
        tracks.setdefault(speaker, []).append(by)
    placed = tracks.values()
    return {
        "offset_s": max((abs(offset(by)) for by in placed), default=0.0),
        "drift_s": max((abs(drift(by)) for by in placed), default=0.0),
    }


def offset(by_s: Sequence[float]) -> float:
    """The median; 0.0 where there are too few words."""
    return _told(quantile(sorted(by_s), 0.5), len(by_s))


def drift(by_s: Sequence[float]) -> float:
    """Between the medians of a track's first and last third, in the order of time."""
    third = len(by_s) // 3
    ends = by_s[:third], by_s[len(by_s) - third :]
    first, last = (quantile(sorted(end), 0.5) for end in ends)
    return _told(round(last - first, 6), third)


def _told(by_s: float, words: int) -> float:
    is_plain = words >= MIN_WORDS or (words >= FEW_WORDS and abs(by_s) > DISPLACED_S)
    return by_s if is_plain else 0.0


def is_noticed(by_s: float) -> bool:
    """Whether the whole track is reported as late although no single word is displaced."""
    return abs(by_s) >= NOTICED_S

"""Which side readers prefer: a confidence sequence for a chance, valid at every look.

Of the recordings in which a reader saw a difference in quality, let p be the chance that the
candidate's text is the better one. Bets against "p is the chance" on each answer, even odds
over all bets by Jeffreys' prior Beta(1/2, 1/2), have the wealth

    W(p) = B(c + 1/2, k + 1/2) / B(1/2, 1/2) / (p^c (1 - p)^k)

after c answers for the candidate and k for the primary. If p is true, the chance that W(p) ever
reaches 1/alpha is at most alpha (Ville 1939; betting on means: Waudby-Smith and Ramdas 2024). What
is not rejected is the interval. One may stop, go on, or look again whenever one likes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reflector_migrate.judge.adjudication import Choice

PRIOR = 0.5
STEPS = 30
"""Halvings of an interval of length 1: to a billionth."""


@dataclass(frozen=True, slots=True)
class Preference:
    """Answers by side, and the chance that a reader prefers the candidate, between low and high."""

    candidate: int
    primary: int
    same: int
    low: float
    high: float
    confidence: float

    @property
    def better(self) -> Literal["candidate", "primary", "undecided"]:
        """The side preferred more often than not, once the interval leaves a half out."""
        if self.low > self.high:
            return "undecided"  # the chance moved: no one value fits all answers
        if self.low > 0.5:
            return "candidate"
        return "primary" if self.high < 0.5 else "undecided"


def preference(choices: Sequence[Choice], alpha: float = 0.05) -> Preference:
    """What the answers show so far, in the order in which they were given.

    Each end of the interval is the tightest that any look so far gave.
    """
    low, high, counts = 0.0, 1.0, {"candidate": 0, "primary": 0, "same": 0}
    for choice in choices:
        counts[choice] += 1
        if choice != "same":
            ends = _interval(counts["candidate"], counts["primary"], math.log(1 / alpha))
            low, high = max(low, ends[0]), min(high, ends[1])
    return Preference(**counts, low=low, high=high, confidence=1 - alpha)


def _interval(candidate: int, primary: int, limit: float) -> tuple[float, float]:
    """Every chance whose log wealth is under the limit; it lies around the share seen."""
    share = candidate / (candidate + primary)
    low = 0.0 if candidate == 0 else _edge(0.0, share, candidate, primary, limit)
    high = 1.0 if primary == 0 else _edge(1.0, share, candidate, primary, limit)
    return low, high


def _edge(outside: float, inside: float, candidate: int, primary: int, limit: float) -> float:
    """Where the wealth reaches the limit, on the outer side."""
    for _ in range(STEPS):
        middle = (outside + inside) / 2
        if _log_wealth(middle, candidate, primary) < limit:
            inside = middle
        else:
            outside = middle
    return outside


def _log_wealth(chance: float, candidate: int, primary: int) -> float:
    mixed = _log_beta(candidate + PRIOR, primary + PRIOR) - _log_beta(PRIOR, PRIOR)
    return mixed - candidate * math.log(chance) - primary * math.log1p(-chance)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

"""A betting process on the mean of bounded values, valid however often it is looked at.

For a margin d and values y clipped to [-K, K], with bets l chosen before each value:

    W+ = prod(1 + l (d - y)),  0 <= l <= 0.98 / (K - d)    large values reject "mean >= d"
    W- = prod(1 + l (y - d)),  0 <= l <= 0.98 / (K + d)    large values reject "mean <= d"

Under the hypothesis that it rejects, the chance that a W ever reaches 1/alpha is at most
alpha (Ville 1939; betting on means: Waudby-Smith and Ramdas 2024). Half of what is staked
goes to a bet made for the expected mean and spread, half evenly to fixed bets, which keep
the process growing where the expectation was wrong. A tenth is not staked at all.

Values of one night, or of one meeting series, share an effect b, which makes their product
grow by chance. The wealth is therefore divided by exp(s^2 P), with s the standard deviation
of b and P the sum of l_i l_j over each two values of a cluster: with E[b^2k] at most
(2k-1)!! s^2k and no odd moments, as of a Gaussian, E[prod(1 - l_i b)] is at most that, term by
term (the number of k disjoint pairs, times k!, is at most the number of pairs to the k).
A cluster of any size is paid for in full, and one of a single value costs nothing.

Arrays have values along the last axis; leading axes are independent repetitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reflector_migrate.judge.gates.clusters import Clusters

Floats = NDArray[np.float64]
Side = Literal["below", "above"]

SHARE = 0.98
"""The largest share of the wealth at stake in one bet."""
FIXED_BETS = 3
SMALLEST = 0.5
"""The smallest fixed bet, in units of 1 / (K - d)."""
KEPT = 0.1
"""The part of the stake that is never bet: so the error stays clear of alpha for ever."""
MEAN_WEIGHT, SPREAD_WEIGHT = 100, 20
"""How many values the expected mean and the expected spread count for."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Every mean that neither process has rejected at any look so far."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Design:
    """What is declared before the first value: bounds and expected spread, in their unit."""

    clip: float
    sd: float


class Process:
    """The betting process on the values so far, for any margin.

    Bets of a night are those of its first value; of a series that goes on for months they
    follow what was learned.
    """

    def __init__(self, values: Floats, design: Design, clusters: Sequence[Clusters] = ()) -> None:
        """Clip the values and reckon with what they share, once for all margins."""
        self._values = np.clip(values, -design.clip, design.clip)
        self._design, self._clusters = design, clusters
        self._shared = [cluster.variance(self._values) for cluster in clusters]
        self._crowd: Floats = np.zeros(1)
        for cluster, variance in zip(clusters, self._shared, strict=True):
            known = _before(variance, float(variance[..., 0].max(initial=0.0)))
            self._crowd = self._crowd + known * cluster.expected_companions()
        self._share = self._held(design.sd**2 / (design.sd**2 + self._crowd))
        self._toll = self._toll_of(self._share)
        self._count = np.arange(values.shape[-1])
        self._total = _before(np.cumsum(self._values, axis=-1))
        squares = _before(np.cumsum(self._values**2, axis=-1))
        deviations = squares - self._total**2 / np.maximum(self._count, 1)
        known_spread = SPREAD_WEIGHT * design.sd**2 + np.maximum(deviations, 0.0)
        self._spread = known_spread / (self._count + SPREAD_WEIGHT)

    def log_wealth(self, margin: float, side: Side) -> Floats:
        """Natural logarithm of W+ ("below") or W- ("above") after each value."""
        sign = 1.0 if side == "below" else -1.0
        largest = SHARE / (self._design.clip - sign * margin)
        gains = sign * (margin - self._values)
        bets = self._held(self._designed(margin, sign, largest))
        total = np.cumsum(np.log1p(bets * gains), axis=-1) - self._toll_of(bets)
        total = total + math.log(FIXED_BETS)
        for bet in np.geomspace(SMALLEST / SHARE * largest, largest, FIXED_BETS):
            fixed = np.cumsum(np.log1p(bet * self._share * gains), axis=-1) - bet**2 * self._toll
            total = np.logaddexp(total, fixed)
        at_stake = total - math.log(2 * FIXED_BETS) + math.log1p(-KEPT)
        result: Floats = np.logaddexp(at_stake, math.log(KEPT))
        return result

    def interval(self, alpha: float) -> Interval:
        """The confidence sequence: each end is ever wrong with a chance of at most alpha.

        It holds for the values clipped to the design's bounds. A mean that moves can leave
        an interval with low > high: then there is no one mean.
        """
        limit = math.log(1 / alpha)

        def is_rejected(mean: float, side: Side) -> bool:
            return bool(self.log_wealth(mean, side).max(initial=-1.0) >= limit)

        clip = self._design.clip
        high = _bisected(lambda mean: is_rejected(mean, "below"), SHARE * clip, clip)
        low = _bisected(lambda mean: is_rejected(-mean, "above"), SHARE * clip, clip)
        return Interval(-low, high)

    def _designed(self, margin: float, sign: float, largest: float) -> Floats:
        """The bet that grows fastest for the mean and the spread expected before each value.

        It expects a candidate like the primary when it hopes to pass, and one at twice
        the margin when it fears a failure.
        """
        expected = 0.0 if sign > 0 else 2 * margin
        mean = (MEAN_WEIGHT * expected + self._total) / (self._count + MEAN_WEIGHT)
        gain = sign * (margin - mean)
        bets: Floats = np.clip(gain / (self._spread + self._crowd + gain**2), 0.0, largest)
        return bets

    def _held(self, bets: Floats) -> Floats:
        """The bet of a cluster's first value for all of its values, where the cluster holds it."""
        for cluster in self._clusters:
            if cluster.holds_bet:
                bets = np.broadcast_to(bets, (*bets.shape[:-1], self._values.shape[-1]))
                bets = bets[..., cluster.opened]
        return bets

    def _toll_of(self, bets: Floats) -> Floats:
        """What shared effects add to the logarithm of the wealth by chance, at the most."""
        toll: Floats = np.zeros(1)
        for cluster, variance in zip(self._clusters, self._shared, strict=True):
            toll = toll + variance * cluster.pair_sums(bets)
        return toll


def _before(sums: Floats, first: float = 0.0) -> Floats:
    """Each running figure as it stood before its last value."""
    earlier = np.roll(sums, 1, axis=-1)
    earlier[..., :1] = first
    return earlier


def _bisected(is_over: Callable[[float], bool], edge: float, none: float) -> float:
    """The smallest number in [-edge, edge] for which `is_over`, to a thousandth; else `none`."""
    if not is_over(edge):
        return none
    low, high = -edge, edge
    while high - low > edge / 4_000:
        middle = (low + high) / 2
        low, high = (low, middle) if is_over(middle) else (middle, high)
    return high

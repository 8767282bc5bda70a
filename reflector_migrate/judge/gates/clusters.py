"""Values that share an effect: those of a night, or of a meeting series.

How much they share is declared, from legacy-against-legacy runs, or else estimated from
the values themselves, at every look, and not trusted to be small.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

Floats = NDArray[np.float64]

EXPECTED_SIZE = 10.0
"""Of a night, before any has been seen."""
MIN_CLUSTERS = 5
"""With fewer, what they share cannot be estimated."""
ASSUMED, LEAST = 0.5, 0.15
"""An effect not measured, in units of the spread: with under MIN_CLUSTERS; and at the least."""
DOUBT = 0.25
"""The chance at which an estimate may fall short of the effect."""


class Clusters:
    """Which cluster each value belongs to, in the order of arrival.

    effect is the standard deviation of what a cluster's values share, None where it was
    not measured; sd is the expected spread of a value; both in the values' unit.
    holds_bet: every value of a cluster gets the bet that its first one got. size is how many
    values a cluster is expected to have, before any has been seen.
    """

    def __init__(
        self,
        labels: Iterable[Hashable],
        effect: float | None,
        sd: float,
        *,
        holds_bet: bool = True,
        size: float = EXPECTED_SIZE,
    ) -> None:
        """Number the labels in the order in which each is first seen."""
        numbers: dict[Hashable, int] = {}
        number = np.array([numbers.setdefault(label, len(numbers)) for label in labels], int)
        _, first = np.unique(number, return_index=True)
        self.opened = first[number]
        self.holds_bet = holds_bet
        self._order = np.argsort(number, kind="stable")
        self._starts = np.searchsorted(number[self._order], np.arange(len(first)))
        self._sizes = np.diff([*self._starts, len(number)])
        self._effect, self._sd, self._size = effect, sd, size

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def is_measured(self) -> bool:
        """Whether what they share was declared beforehand."""
        return self._effect is not None

    def expected_companions(self) -> Floats:
        """How many others of its cluster a value is expected to have, before each value."""
        seen = np.arange(len(self.opened))
        is_first = self.opened == seen
        opened = np.cumsum(is_first) - is_first
        sizes: Floats = np.where(opened > 0, seen / np.maximum(opened, 1), self._size)
        return sizes - 1

    def running_sums(self, values: Floats) -> Floats:
        """The sum so far of a value's own cluster, after each value."""
        ordered = values[..., self._order]
        sums = np.cumsum(ordered, axis=-1)
        earlier = (sums - ordered)[..., self._starts]
        result = np.empty_like(sums)
        result[..., self._order] = sums - np.repeat(earlier, self._sizes, axis=-1)
        return result

    def pair_sums(self, values: Floats) -> Floats:
        """The sum of products of each two values of one cluster, after each value."""
        values = np.broadcast_to(values, (*values.shape[:-1], len(self.opened)))
        result: Floats = np.cumsum((self.running_sums(values) - values) * values, axis=-1)
        return result

    def variance(self, values: Floats) -> Floats:
        """The variance of what a cluster's values share, after each value."""
        if self._effect is not None:
            return np.full(len(self.opened), self._effect**2)
        count, ones = np.arange(1.0, len(self.opened) + 1), np.ones(len(self.opened))
        sizes, sums = self.running_sums(ones), self.running_sums(values)
        clusters = np.cumsum(sizes == 1)
        earlier = np.where(sizes > 1, (sums - values) ** 2 / np.maximum(sizes - 1, 1), 0.0)
        explained = np.cumsum(sums**2 / sizes - earlier, axis=-1)
        between_degrees = np.maximum(clusters - 1, 1)
        between = explained - np.cumsum(values, axis=-1) ** 2 / count
        at_most = between / (2 * gammaincinv(between_degrees / 2, DOUBT))
        within = (np.cumsum(values**2, axis=-1) - explained) / np.maximum(count - clusters, 1)
        size = (count - 1 - 2 * self.pair_sums(ones) / count) / between_degrees
        estimate = (at_most - within) / np.maximum(size, 1.0)
        floor = np.where(clusters < MIN_CLUSTERS, ASSUMED, LEAST) * self._sd
        result: Floats = np.where(clusters < MIN_CLUSTERS, 0.0, estimate)
        return np.maximum(result, floor**2)

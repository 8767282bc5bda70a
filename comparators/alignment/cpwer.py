"""The permutation of speakers with the fewest edits (cpWER), exactly and without trying all.

Costs start as lower bounds and are made exact only where the cheapest assignment
uses them; an assignment of exact costs only is optimal. A first bound is the
distance up to a limit (right where speakers match), a second one what the
multisets of words do not share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from comparators.alignment.assignment import assign
from comparators.alignment.distance import distance, distance_up_to

NEAR = 16
"""One word in so many wrong is looked for first: it settles most assignments at once."""

Costs = list[list[float]]
Pairs = list[tuple[int, int]]


class Permutation(NamedTuple):
    """The best pairs of indices, their edits together, and lower bounds of all pairs' edits."""

    pairs: Pairs
    edits: int
    bounds: Costs


def best_permutation(reference: Sequence[str], hypothesis: Sequence[str]) -> Permutation:
    """Pairs of encoded texts with the least sum of distances (cpWER's numerator).

    Lists of unequal length are filled with empty texts, as cpWER does.
    """
    size = max(len(reference), len(hypothesis))
    rows = [*reference, *[""] * (size - len(reference))]
    columns = [*hypothesis, *[""] * (size - len(hypothesis))]
    limit = max(map(len, [*rows, *columns]), default=0) // NEAR
    costs: Costs = [[distance_up_to(row, column, limit) for column in columns] for row in rows]
    exact = {
        (i, j)
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
        if costs[i][j] <= limit or not row or not column
    }
    if not exact.issuperset(assign(costs)):
        costs = tightened(costs, bag_bounds(rows, columns))
    pairs = cheapest(costs, exact, lambda i, j: distance(rows[i], columns[j], int(costs[i][j])))
    return Permutation(pairs, int(sum(costs[i][j] for i, j in pairs)), costs)


def cheapest(
    costs: Costs, exact: set[tuple[int, int]], measure: Callable[[int, int], float]
) -> Pairs:
    """The cheapest assignment; `measure` raises the bounds it uses to exact costs, in place."""
    pairs = assign(costs)
    while open_pairs := [pair for pair in pairs if pair not in exact]:
        for i, j in open_pairs:
            costs[i][j] = measure(i, j)
            exact.add((i, j))
        pairs = assign(costs)
    return pairs


def tightened(first: Costs, second: Costs) -> Costs:
    """The larger of two lower bounds, pair by pair."""
    return [list(map(max, *lines)) for lines in zip(first, second, strict=True)]


def bag_bounds(rows: Sequence[str], columns: Sequence[str]) -> Costs:
    """Lower bounds of every pair's distance: what their multisets of words do not share."""
    bags = [_levels(text) for text in rows], [_levels(text) for text in columns]
    return [
        [
            max(len(r), len(c)) - _shared(row, column)
            for c, column in zip(columns, bags[1], strict=True)
        ]
        for r, row in zip(rows, bags[0], strict=True)
    ]


def _levels(text: str) -> list[set[str]]:
    """A multiset as sets: the n-th holds what occurs more than n times."""
    occurring = Counter(text)
    levels = []
    while occurring:
        levels.append(set(occurring))
        occurring = Counter({c: n - 1 for c, n in occurring.items() if n > 1})
    return levels


def _shared(first: Sequence[set[str]], second: Sequence[set[str]]) -> int:
    """The size of two multisets' intersection."""
    return sum(len(a & b) for a, b in zip(first, second, strict=False))

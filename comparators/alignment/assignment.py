"""The cheapest one-to-one assignment of rows to columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

LARGE = 200
"""From this size on scipy's solver repays its import (over half a second)."""


def assign(costs: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost, min(rows, columns) of them, by row."""
    if not costs or not costs[0]:
        return []
    if len(costs) > len(costs[0]):
        turned = [list(column) for column in zip(*costs, strict=True)]
        return sorted((i, j) for j, i in assign(turned))
    cheapest = [_cheapest(row, index) for index, row in enumerate(costs)]
    if len(set(cheapest)) == len(cheapest):
        return list(enumerate(cheapest))
    if len(costs) <= LARGE:
        return _augmented(costs)
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment([list(row) for row in costs])
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True)]


def _cheapest(row: Sequence[float], own: int) -> int:
    """The row's cheapest column; among equals its own, so that ties do not collide."""
    least = min(row)
    return own if row[own] == least else row.index(least)


def _augmented(costs: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """The Hungarian method by shortest augmenting paths (Kuhn 1955, Jonker & Volgenant 1987)."""
    n_columns = len(costs[0])
    row_prices, column_prices = [0.0] * len(costs), [0.0] * n_columns
    row_of: list[int] = [-1] * n_columns
    for row in range(len(costs)):
        _place(row, costs, row_of, row_prices, column_prices)
    return sorted((row, column) for column, row in enumerate(row_of) if row >= 0)


def _place(
    row: int,
    costs: Sequence[Sequence[float]],
    row_of: list[int],
    row_prices: list[float],
    column_prices: list[float],
) -> None:
    """Seat one more row, moving others along the cheapest path to a free column."""
    n = len(row_of)
    slack, came_from, open_columns = [math.inf] * n, [-1] * n, set(range(n))
    visited: list[int] = []
    current, column = row, -1
    while current >= 0:
        base, line = row_prices[current], costs[current]
        for j in open_columns:
            reduced = line[j] - base - column_prices[j]
            if reduced < slack[j]:
                slack[j], came_from[j] = reduced, column
        least = min(open_columns, key=slack.__getitem__)
        step = slack[least]
        row_prices[row] += step
        for j in visited:
            column_prices[j] -= step
            row_prices[row_of[j]] += step
        for j in open_columns:
            slack[j] -= step
        open_columns.remove(least)
        visited.append(least)
        column, current = least, row_of[least]
    while column >= 0:
        previous = came_from[column]
        row_of[column] = row_of[previous] if previous >= 0 else row
        column = previous

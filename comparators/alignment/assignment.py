"""The cheapest one-to-one assignment of rows to columns."""

from __future__ import annotations

from collections.abc import Sequence


def assign(costs: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost, min(rows, columns) of them, by row.

    Where each row's cheapest column is another one, nothing is solved and scipy stays unimported.
    """
    if not costs or not costs[0]:
        return []
    if len(costs) > len(costs[0]):
        turned = [list(column) for column in zip(*costs, strict=True)]
        return sorted((i, j) for j, i in assign(turned))
    cheapest = [_cheapest(row, index) for index, row in enumerate(costs)]
    if len(set(cheapest)) == len(cheapest):
        return list(enumerate(cheapest))
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment([list(row) for row in costs])
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True)]


def _cheapest(row: Sequence[float], own: int) -> int:
    """The row's cheapest column; among equals its own, so that ties do not collide."""
    least = min(row)
    return own if row[own] == least else row.index(least)

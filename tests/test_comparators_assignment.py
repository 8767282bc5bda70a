"""The assignment is optimal: scipy's total on every shape, ties and all."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from comparators.alignment.assignment import assign

COSTS = st.integers(1, 7).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(-9, 9), min_size=width, max_size=width), min_size=1, max_size=7
    )
)


def _total(costs, pairs):
    return sum(costs[i][j] for i, j in pairs)


@given(COSTS)
@settings(deadline=None)
def test_the_total_equals_scipys(costs):
    """Wide, tall and square; every row and column at most once, as many as fit."""
    pairs = assign(costs)
    rows, columns = linear_sum_assignment(costs)
    assert _total(costs, pairs) == _total(costs, zip(rows, columns, strict=True))
    assert len(pairs) == len({i for i, _ in pairs}) == len({j for _, j in pairs})
    assert len(pairs) == min(len(costs), len(costs[0]))


@pytest.mark.parametrize("size", [120, 201])
def test_large_assignments_are_optimal_and_quick(size):
    """More topics a side than any meeting has."""
    rng = random.Random(size)
    costs = [[rng.random() for _ in range(size)] for _ in range(size)]
    begin = time.process_time()
    pairs = assign(costs)
    assert time.process_time() - begin < 5
    rows, columns = linear_sum_assignment(costs)
    assert _total(costs, pairs) == pytest.approx(_total(costs, zip(rows, columns, strict=True)))


def test_nothing_to_assign():
    """No rows or no columns give no pairs."""
    assert assign([]) == assign([[]]) == []

"""The benchmark of the gates measures what its page says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench import bench_variates
from bench.bench_gates import KINDS, PROMISED, YEAR, Row, at_the_margin, habits, pace, page, speed

PAGE = Path(__file__).parents[1] / "docs" / "results" / "gates.md"


def test_ours_is_wrong_less_often_than_a_nightly_t_test() -> None:
    """The same 200 cohorts at the margin: one in twenty at the most, against one in four."""
    row = at_the_margin(KINDS[1], 200, 400, seed=1)
    assert row.is_bounded
    assert row.nightly_t > 4 * max(row.false_pass, row.false_fail)
    assert row.nightly_t > 0.15 * row.repeats


def test_a_row_over_five_per_cent_is_a_broken_promise() -> None:
    """In either direction, and in few cohorts only beyond what chance explains."""
    assert not Row("x", 2_000, 101, 0, 0, 0, 0).is_bounded
    assert not Row("x", 2_000, 0, 101, 0, 0, 0).is_bounded
    assert Row("x", 2_000, 100, 100, 0, 0, 0).is_bounded
    assert Row("x", 200, 12, 0, 0, 0, 0).is_bounded
    assert not Row("x", 200, 30, 0, 0, 0, 0).is_bounded


def test_known_habits_say_ready_of_a_worse_candidate() -> None:
    """Counting unequal fields is blind to it, and absence of significance reads as a pass."""
    found = {habit.name.split()[0]: habit for habit in habits(40, seed=2)}
    assert found["ours,"].ready_though_worse == 0
    assert found["ours,"].never_ready_though_equal <= 2
    assert found["Mann-Whitney"].ready_though_worse > 10
    assert found["count"].ready_though_worse == 40


def test_the_page_has_every_row() -> None:
    """What the benchmark would print today is what the page shows: kinds, spreads, rules."""
    text = PAGE.read_text(encoding="utf-8")
    for kind in KINDS:
        assert text.count(f"| {kind.name} |") == 1 + (kind in YEAR), kind.name
    for sd in PROMISED:
        assert f"| 0 pp | {sd:g} pp |" in text
    made = page([], [speed(0.0, 1.0, 20, 3)], [pace(1.0, 10, 20, 4)], habits(4, seed=3), 1.0)
    assert made.count("| 0 pp | 1 pp |") == 1
    assert made.count("| 1 pp | 10 |") == 1


def test_only_a_second_candidate_run_decides_sooner_and_keeps_the_five_per_cent() -> None:
    """Bets by stratum and a known A/A mean pass at the margin; two candidate runs do not."""
    *_, quieter, placed = bench_variates.KINDS
    shifted = bench_variates.measured(placed, 5.0, 1.0, 100, seed=1)
    wrong = {name: int(np.isfinite(found).sum()) for name, found in shifted.items()}
    assert max(wrong["x (as shipped)"], wrong["two candidate runs"]) <= 11
    assert wrong["bets by stratum"] > 30
    known = bench_variates.measured(quieter, 2.0, 1.0, 100, seed=2)
    assert np.isfinite(known["A/A distance, 400 pairs, paid"]).sum() > 50
    equal = bench_variates.measured(bench_variates.KINDS[0], 5.0, 0.0, 100, seed=3)
    assert np.median(equal["two candidate runs"]) < 0.85 * np.median(equal["x (as shipped)"])


def test_the_page_of_variates_has_every_way_and_kind() -> None:
    """What the benchmark tries is what its page shows."""
    text = (PAGE.parent / "variates.md").read_text(encoding="utf-8")
    assert text.count(" | ".join(bench_variates.WAYS)) == 2
    assert all(f"| {kind.name}, sd 5 |" in text for kind in bench_variates.KINDS)

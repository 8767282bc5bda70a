"""How far apart the two sides lie tonight, measure by measure, beside legacy's own noise."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan
from operator import gt, sub
from typing import TypeAlias

from reflector_migrate.model import Gist
from reflector_migrate.model.comparison_index import GRADES, names_of, numbers_of
from reports.charts import Chart, Shape
from reports.figures import count, percent

EDGES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
LABELS = ("0", ".1", ".2", ".5", "1", "2", "5", "10", "20", "50", "100")
WIDTH, HEIGHT, BASE, STEP = 308, 112, 90, 28

Numbers: TypeAlias = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """Divergences of one measure: how many fall up to each of EDGES, and the A/A band.

    floor and limit are the widest of the strata; pairs is the largest n behind one.
    """

    name: str
    bins: tuple[int, ...]
    n: int
    median: float
    largest: float
    over: int
    floor: float | None
    limit: float | None
    pairs: int
    chart: Chart

    @property
    def bars(self) -> tuple[tuple[str, int], ...]:
        """(upper edge as shown, recordings) for the table twin."""
        edges = ["equal", *(f"≤ {label}%" for label in LABELS[1:])]
        return tuple(zip(edges, self.bins, strict=True))


@dataclass(slots=True)
class _Seen:
    """What one measure showed so far."""

    values: list[float]
    floor: float | None = None
    limit: float | None = None
    pairs: int = 0
    over: int = 0


def spreads(gists: Iterable[Gist]) -> tuple[Spread, ...]:
    """One for each graded measure with any value, in the order of the checks."""
    alike: dict[str, list[bytes]] = {}
    for gist in gists:
        alike.setdefault(gist.graded, []).append(gist.grades)
    seen: dict[str, _Seen] = {}
    for graded, kept in alike.items():
        names, numbers = names_of(graded), numbers_of(kept)
        for place, name in enumerate(names):
            columns = (numbers[GRADES * place + n :: GRADES * len(names)] for n in range(GRADES))
            _see(seen.setdefault(name, _Seen([])), *columns)
    return tuple(_spread(name, entry) for name, entry in seen.items())


def _see(seen: _Seen, far: Numbers, floors: Numbers, limits: Numbers, pairs: Numbers) -> None:
    """Add one measure's columns, as GRADES has them."""
    seen.values += far
    seen.over += sum(map(gt, far, limits))  # nothing is over an unknown limit, which is NaN
    seen.floor = _largest(floors, seen.floor)
    seen.limit = _largest(limits, seen.limit)
    seen.pairs = int(_largest(pairs, seen.pairs) or 0)


def _largest(numbers: Numbers, before: float | None) -> float | None:
    """Of those that are known; as before where none is."""
    known = [number for number in set(numbers) if not isnan(number)]
    return max(known if before is None else [before, *known], default=None)


def _spread(name: str, seen: _Seen) -> Spread:
    ordered = sorted(seen.values)
    up_to = [bisect_right(ordered, edge) for edge in EDGES[:-1]]
    bins = list(map(sub, [*up_to, len(ordered)], [0, *up_to]))
    numbers = (ordered[(len(ordered) - 1) // 2], ordered[-1])
    chart = _chart(name, bins, seen, numbers)
    return Spread(
        name, tuple(bins), len(ordered), *numbers, seen.over, seen.floor, seen.limit, seen.pairs,
        chart,
    )  # fmt: skip


def _chart(name: str, bins: list[int], seen: _Seen, numbers: tuple[float, float]) -> Chart:
    tallest = max(bins) or 1
    shapes = []
    if seen.limit is not None and seen.floor is not None:
        end = _place(seen.limit)
        shapes.append(Shape("rect", "band", 0, 6, _place(seen.floor), BASE - 6))
        shapes.append(Shape("line", "limit", end, 2, 0, BASE - 2))
    for position, number in enumerate(bins):
        height = 76 * number / tallest
        if number:
            over = seen.limit is not None and EDGES[max(0, position - 1)] >= seen.limit > 0
            shapes.append(
                Shape("rect", "bar over" if over else "bar", position * STEP + 3,
                      BASE - max(2.0, height), STEP - 6, max(2.0, height),
                      f"{LABELS[position]} %: {count(number)}")
            )  # fmt: skip
        shapes.append(
            Shape("text", "tick mid", position * STEP + STEP / 2, HEIGHT - 8, text=LABELS[position])
        )
    shapes.append(Shape("line", "axis", 0, BASE, WIDTH, 0))
    return Chart(WIDTH, HEIGHT, _label(name, bins, seen, numbers), tuple(shapes))


def _place(rate: float) -> float:
    """Where a rate lies on the axis of bins, between the edges by proportion."""
    position = bisect_left(EDGES, rate)
    if position <= 0 or position >= len(EDGES):
        return STEP * (0.5 if position <= 0 else len(EDGES))
    low, high = EDGES[position - 1], EDGES[position]
    return STEP * (position + (rate - low) / (high - low))


def _label(name: str, bins: list[int], seen: _Seen, numbers: tuple[float, float]) -> str:
    total = sum(bins)
    said = f"{name.replace('_', ' ')}: {count(bins[0])} of {count(total)} equal, "
    said += f"median {percent(numbers[0])}, largest {percent(numbers[1])}; "
    if seen.limit is None:
        return said + "no noise floor yet"
    return said + f"{count(seen.over)} over the limit of {percent(seen.limit)}"

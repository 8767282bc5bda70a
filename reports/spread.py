"""How far apart the two sides lie tonight, measure by measure, beside legacy's own noise."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress
from math import isnan
from operator import gt, sub
from typing import TypeAlias

from reflector_migrate.model import Gist
from reflector_migrate.model.comparison_index import GRADES, names_of, numbers_of
from reflector_migrate.model.plural import plural
from reports.charts import Chart, Shape
from reports.figures import count, percent

EDGES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
LABELS = ("0", ".1", ".2", ".5", "1", "2", "5", "10", "20", "50", "100")
WIDTH, HEIGHT, TOP, BASE, STEP = 308, 124, 8, 102, 28

_LOOKS = {"bar": "within", "bar over": "over the limit", "bar open": "without a limit"}

Numbers: TypeAlias = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """Divergences of one measure: how many fall up to each of EDGES, and the A/A band.

    Each value is held against the limit of its own stratum: `over` counts those beyond it, `open`
    those whose stratum has none. `limits` are the narrowest and the widest limit, floor is the
    widest, pairs the largest n behind one.
    """

    name: str
    bins: tuple[int, ...]
    n: int
    median: float
    largest: float
    over: int
    open: int
    floor: float | None
    limits: tuple[float, float] | None
    pairs: int
    chart: Chart

    @property
    def conclusion(self) -> str:
        """How many are beyond their limit, in a few words."""
        return _conclusion(self.n, self.over, self.open, self.limits)

    @property
    def bars(self) -> tuple[tuple[str, int], ...]:
        """(upper edge as shown, recordings) for the table twin."""
        edges = ["equal", *(f"≤ {label}%" for label in LABELS[1:])]
        return tuple(zip(edges, self.bins, strict=True))


@dataclass(slots=True)
class _Seen:
    """What one measure showed so far."""

    values: list[float]
    over: list[float]
    open: list[float]
    limits: set[float]
    floor: float | None = None
    pairs: int = 0


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
            _see(seen.setdefault(name, _Seen([], [], [], set())), *columns)
    return tuple(_spread(name, entry) for name, entry in seen.items())


def _see(seen: _Seen, far: Numbers, floors: Numbers, limits: Numbers, pairs: Numbers) -> None:
    """Add one measure's columns, as GRADES has them."""
    seen.values += far
    seen.over += compress(far, map(gt, far, limits))  # an unknown limit is NaN: nothing is over it
    seen.open += compress(far, map(isnan, limits))
    seen.limits.update(limit for limit in set(limits) if not isnan(limit))
    seen.floor = _largest(floors, seen.floor)
    seen.pairs = int(_largest(pairs, seen.pairs) or 0)


def _largest(numbers: Numbers, before: float | None) -> float | None:
    """Of those that are known; as before where none is."""
    known = [number for number in set(numbers) if not isnan(number)]
    return max(known if before is None else [before, *known], default=None)


def _spread(name: str, seen: _Seen) -> Spread:
    ordered = sorted(seen.values)
    bins = _bins(seen.values)
    numbers = (ordered[(len(ordered) - 1) // 2], ordered[-1])
    limits = (min(seen.limits), max(seen.limits)) if seen.limits else None
    found = (len(ordered), len(seen.over), len(seen.open), limits)
    label = f"{name.replace('_', ' ')}: {count(bins[0])} of {count(len(ordered))} equal, "
    label += f"median {percent(numbers[0])}, largest {percent(numbers[1])}; {_conclusion(*found)}"
    return Spread(
        name, tuple(bins), len(ordered), *numbers, *found[1:3], seen.floor, limits, seen.pairs,
        Chart(WIDTH, HEIGHT, label, tuple(_shapes(bins, seen, limits))),
    )  # fmt: skip


def _bins(values: Iterable[float]) -> list[int]:
    """How many fall up to each of EDGES."""
    ordered = sorted(values)
    up_to = [bisect_right(ordered, edge) for edge in EDGES[:-1]]
    return list(map(sub, [*up_to, len(ordered)], [0, *up_to]))


def _conclusion(n: int, over: int, is_open: int, limits: tuple[float, float] | None) -> str:
    """`2 of 24 over the limit of 5.37%`; where strata differ, their narrowest and widest limit."""
    if limits is None:
        return f"no limit yet, {count(n)} {plural(n, 'comparison')}"
    low, high = map(percent, limits)
    said = f"the limit of {low}" if low == high else f"their stratum's limit ({low} to {high})"
    without = f"; {count(is_open)} without a limit" if is_open else ""
    return f"{count(over)} of {count(n)} over {said}{without}"


def _shapes(bins: list[int], seen: _Seen, limits: tuple[float, float] | None) -> Iterable[Shape]:
    """Band, bars and axis. A bar has its values over the limit on top, those without one below."""
    tallest = max(bins) or 1
    if limits is not None and seen.floor is not None:
        yield Shape("rect", "band", 0, TOP, _place(seen.floor), BASE - TOP)
        for limit in sorted(set(limits)):
            yield Shape("line", "limit", _place(limit), TOP - 4, 0, BASE - TOP + 4)
    over, without = _bins(seen.over), _bins(seen.open)
    for position, number in enumerate(bins):
        within = number - over[position] - without[position]
        parts = (("bar open", without), ("bar", None), ("bar over", over))
        y = float(BASE)
        for look, counts in parts:
            part = within if counts is None else counts[position]
            if part:
                height = max(2.0, (BASE - TOP - 12) * part / tallest)
                y -= height
                said = f"{LABELS[position]} %: {count(part)} {_LOOKS[look]}"
                yield Shape("rect", look, position * STEP + 3, y, STEP - 6, height, said)
        middle = position * STEP + STEP / 2
        if number:
            yield Shape("text", "tick mid", middle, y - 3, text=count(number))
        yield Shape("text", "tick mid", middle, HEIGHT - 6, text=LABELS[position])
    yield Shape("line", "axis", 0, BASE, WIDTH, 0)


def _place(rate: float) -> float:
    """Where a rate lies on the axis of bins, between the edges by proportion."""
    position = bisect_left(EDGES, rate)
    if position <= 0 or position >= len(EDGES):
        return STEP * (0.5 if position <= 0 else len(EDGES))
    low, high = EDGES[position - 1], EDGES[position]
    return STEP * (position + (rate - low) / (high - low))

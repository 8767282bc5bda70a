"""Thirty nights of verdicts, with the evidence line and where builds changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from reflector_migrate.model import Verdict
from reports.charts import Chart, Shape
from reports.document import TrendPoint
from reports.figures import count

NIGHTS = 30
WIDTH, BASE, TOP, SLOT = 944, 112, 14, 30
STACK = (
    Verdict.MATCHED,
    Verdict.WITHIN_NOISE,
    Verdict.WAIVED,
    Verdict.INCONCLUSIVE,
    Verdict.ERRORED,
    Verdict.DIVERGED,
)
BAR_OF_EVIDENCE = 20.0
"""1 / alpha: where the evidence W+ passes its gate."""


@dataclass(frozen=True, slots=True)
class Trend:
    """The drawing and the nights behind it."""

    chart: Chart
    points: tuple[TrendPoint, ...]

    @property
    def has_evidence(self) -> bool:
        """Whether any night left evidence."""
        return any(point.evidence is not None for point in self.points)

    @property
    def has_deploys(self) -> bool:
        """Whether any build was first seen."""
        return any(point.deployed for point in self.points)


def trend(points: Sequence[TrendPoint]) -> Trend | None:
    """The last thirty nights as stacked shares, empty ones too; None for fewer than two."""
    shown = _calendar(points)
    if len(shown) < 2:
        return None
    shapes = [Shape("line", "axis", 0, TOP, 0, BASE - TOP)]
    for share in (0, 50, 100):
        y = BASE - (BASE - TOP) * share / 100
        shapes.append(Shape("line", "grid", 0, y, WIDTH - 44, 0))
        shapes.append(Shape("text", "tick", WIDTH - 38, y + 4, text=f"{share} %"))
    for place, point in enumerate(shown):
        shapes += _bar(place * SLOT, point)
        if (len(shown) - 1 - place) % 3 == 0:
            x = place * SLOT + SLOT / 2
            shapes.append(Shape("text", "tick mid", x, BASE + 14, text=point.night[-5:]))
    shapes += _evidence(shown)
    shapes.append(Shape("line", "axis", 0, BASE, WIDTH, 0))
    return Trend(Chart(WIDTH, BASE + 20, _label(shown), tuple(shapes)), shown)


def _calendar(points: Sequence[TrendPoint]) -> tuple[TrendPoint, ...]:
    """A point a day up to the last; a night without any stands there empty."""
    known = {point.night: point for point in points}
    try:
        days = sorted(date.fromisoformat(night) for night in known)
    except ValueError:
        return tuple(points[-NIGHTS:])
    if not days:
        return ()
    first = max(days[0], days[-1] - timedelta(days=NIGHTS - 1))
    every = (first + timedelta(days=n) for n in range((days[-1] - first).days + 1))
    return tuple(known.get(str(day)) or TrendPoint(str(day), {}) for day in every)


def _bar(x: float, point: TrendPoint) -> list[Shape]:
    total = sum(point.counts.values())
    shapes: list[Shape] = []
    y = float(BASE)
    for verdict in STACK:
        number = point.counts.get(verdict.value, 0)
        if number:
            height = (BASE - TOP) * number / total
            y -= height
            said = f"{point.night}: {count(number)} {verdict.value} of {count(total)}"
            shapes.append(
                Shape("rect", f"v-{verdict.value}", x + 4, y, SLOT - 8, height, text=said)
            )
    if not total:
        shapes.append(Shape("text", "tick mid", x + SLOT / 2, BASE - 4, text="none"))
    if point.deployed:
        shapes.append(Shape("line", "deploy", x + 1, TOP - 8, 0, BASE - TOP + 8))
    return shapes


def _evidence(points: Sequence[TrendPoint]) -> list[Shape]:
    """W+ on a logarithmic scale from 1 to its bar of 20, which is the top."""
    shapes, last = list[Shape](), None
    for place, point in enumerate(points):
        if point.evidence is None:
            last = None
            continue
        height = math.log(max(1.0, point.evidence)) / math.log(BAR_OF_EVIDENCE)
        spot = (place * SLOT + SLOT / 2, BASE - (BASE - TOP) * min(1.0, height))
        if last is not None:
            shapes.append(Shape("line", "evidence", *last, spot[0] - last[0], spot[1] - last[1]))
        last = spot
    return shapes


def _label(points: Sequence[TrendPoint]) -> str:
    first, last = points[0], points[-1]
    bad = sum(p.counts.get(Verdict.DIVERGED.value, 0) for p in points)
    total = sum(sum(p.counts.values()) for p in points)
    return (
        f"{len(points)} nights from {first.night} to {last.night}: "
        f"{count(bad)} of {count(total)} comparisons diverged; "
        f"{count(last.counts.get(Verdict.DIVERGED.value, 0))} of "
        f"{count(sum(last.counts.values()))} on the last"
    )

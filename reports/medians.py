"""When each step usually ran on either side: medians over the night's recordings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from reflector_migrate.model import STEP_NAMES, Comparison, Side
from reflector_migrate.model.comparison_index import wall_s
from reports import figures
from reports.charts import Chart, Shape
from reports.figures import span
from reports.waterfall import Bar, bars

MOST = 400
"""Recordings looked at; of a longer night every n-th, so that a page stays quick to make."""

SHORT_S = 0.1
"""Below this a ratio would compare measuring errors."""

NAME, WIDTH, LANE, GAP, TOP = 190, 900, 9, 26, 22
ROLES = ("primary", "candidate")


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from the run's start: first queued, first started, last ended; and the wait."""

    queued_s: float
    started_s: float
    ended_s: float

    @property
    def wait_s(self) -> float:
        """From queued to picked up."""
        return max(0.0, self.started_s - self.queued_s)

    @property
    def run_s(self) -> float:
        """From the first start to the last end; tracks in parallel count once."""
        return max(0.0, self.ended_s - self.started_s)


@dataclass(frozen=True, slots=True)
class Lane:
    """One step on both sides; None where no time is known."""

    step: str
    primary: Span | None
    candidate: Span | None

    @property
    def ratio(self) -> float | None:
        """Candidate over primary, run time only; None for a step too short to say."""
        if self.primary is None or self.candidate is None or self.primary.run_s < SHORT_S:
            return None
        return self.candidate.run_s / self.primary.run_s


@dataclass(frozen=True, slots=True)
class Medians:
    """The lanes with their drawing; walls are end to end.

    `looked_at` of `total` comparisons: those of the sample in which both sides completed.
    """

    lanes: tuple[Lane, ...]
    primary_s: float | None
    candidate_s: float | None
    looked_at: int
    total: int
    chart: Chart


def sampled(total: int) -> range:
    """The places looked at, of that many recordings: at most MOST, evenly spread."""
    return range(0, total, -(-total // MOST) or 1)


def medians(chosen: Sequence[Comparison], total: int) -> Medians | None:
    """Medians of both sides over those chosen of `total`; None when no step's time is known."""
    chosen = [c for c in chosen if c.primary.status == c.candidate.status == "completed"]
    sides = ([c.primary for c in chosen], [c.candidate for c in chosen])
    found = tuple(_spans(side) for side in sides)
    lanes = tuple(
        Lane(step, found[0].get(step), found[1].get(step))
        for step in STEP_NAMES
        if step in found[0] or step in found[1]
    )
    if not lanes:
        return None
    walls = (_wall(sides[0]), _wall(sides[1]))
    names = (_engines(sides[0]), _engines(sides[1]))
    return Medians(lanes, *walls, len(chosen), total, _chart(lanes, walls, names))


def lanes_of(comparison: Comparison) -> tuple[Lane, ...]:
    """One recording's steps on both sides."""
    found = (_of_side(comparison.primary), _of_side(comparison.candidate))
    return tuple(
        Lane(step, found[0].get(step), found[1].get(step))
        for step in STEP_NAMES
        if step in found[0] or step in found[1]
    )


def chart_of(comparison: Comparison, lanes: Sequence[Lane]) -> Chart:
    """One recording's waterfall."""
    walls = (wall_s(comparison.primary), wall_s(comparison.candidate))
    names = (comparison.primary.engine.value, comparison.candidate.engine.value)
    return _chart(lanes, walls, names)


def _spans(sides: Iterable[Side]) -> dict[str, Span]:
    collected: dict[str, list[Span]] = {}
    for side in sides:
        for step, known in _of_side(side).items():
            collected.setdefault(step, []).append(known)
    return {
        step: Span(
            median(s.queued_s for s in spans),
            median(s.started_s for s in spans),
            median(s.ended_s for s in spans),
        )
        for step, spans in collected.items()
    }


def _of_side(side: Side) -> dict[str, Span]:
    by_step: dict[str, list[Bar]] = {}
    for bar in bars(side):
        by_step.setdefault(bar.step, []).append(bar)
    return {
        step: Span(
            min(b.queued_s for b in found),
            min(b.started_s for b in found),
            max(b.ended_s for b in found),
        )
        for step, found in by_step.items()
    }


def _wall(sides: Iterable[Side]) -> float | None:
    walls = [wall for wall in map(wall_s, sides) if wall is not None]
    return median(walls) if walls else None


def _engines(sides: Iterable[Side]) -> str:
    return " and ".join(sorted({side.engine.value for side in sides}))


def _chart(
    lanes: Sequence[Lane], walls: tuple[float | None, float | None], names: tuple[str, str]
) -> Chart:
    longest = max(s.ended_s for lane in lanes for s in (lane.primary, lane.candidate) if s) or 1.0
    scale = (WIDTH - NAME - 60) / longest
    shapes: list[Shape] = list(_axis(longest, scale, TOP + GAP * len(lanes)))
    for place, lane in enumerate(lanes):
        y = TOP + place * GAP
        shapes.append(Shape("text", "name", 0, y + 14, text=lane.step))
        for offset, role in enumerate(ROLES):
            known = lane.primary if role == "primary" else lane.candidate
            if known is not None:
                shapes += _bar(known, role, y + 1 + offset * (LANE + 2), scale)
    label = f"{names[0]} took {span(walls[0])}, {names[1]} {span(walls[1])} end to end; "
    return Chart(WIDTH, TOP + GAP * len(lanes) + 4, label + _slowest(lanes, names), tuple(shapes))


def _axis(longest: float, scale: float, bottom: float) -> Iterable[Shape]:
    for at_s in figures.ticks(longest):
        x = NAME + at_s * scale
        yield Shape("line", "grid", x, TOP - 4, 0, bottom - TOP + 4)
        yield Shape("text", "tick mid", x, TOP - 9, text=figures.tick(at_s))


def _bar(known: Span, role: str, y: float, scale: float) -> list[Shape]:
    start, run = NAME + known.started_s * scale, max(1.5, known.run_s * scale)
    said = f"{role}: {span(known.wait_s)} queued, {span(known.run_s)} running"
    shapes = [Shape("rect", role, start, y, run, LANE, said)]
    if known.wait_s * scale >= 0.5:
        queued = NAME + known.queued_s * scale
        shapes.insert(0, Shape("rect", f"{role} queue", queued, y, start - queued, LANE, said))
    return shapes


def _slowest(lanes: Sequence[Lane], names: tuple[str, str]) -> str:
    said = []
    for name, role in zip(names, ROLES, strict=True):
        known = [(s.run_s, lane.step) for lane in lanes if (s := getattr(lane, role)) is not None]
        if known:
            said.append(f"longest step of {name}: {max(known)[1]}")
    return "; ".join(said)

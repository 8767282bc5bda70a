"""What both sides used and what it cost; a price that is not known is never taken for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from reflector_migrate.model import Comparison, Side
from reports.charts import Chart, Shape
from reports.figures import count, dollars

WIDTH, NAME, LANE, GAP = 900, 190, 18, 30
USED = (
    ("GPU seconds", "gpu_seconds"),
    ("model calls", "llm_calls"),
    ("tokens in", "llm_tokens_in"),
    ("tokens out", "llm_tokens_out"),
    ("S3 bytes", "s3_bytes"),
    ("external calls", "external_calls"),
    ("retries", "retries"),
    ("cache hits", "cache_hits"),
)

_FIELDS = attrgetter(*(field for _, field in USED))


@dataclass(frozen=True, slots=True)
class Bill:
    """One side's known total in micro-dollars, and of how many runs; what it used, as in USED."""

    name: str
    known: int
    priced: int
    unpriced: int
    used: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Costs:
    """Both bills and their drawing."""

    bills: tuple[Bill, Bill]
    chart: Chart

    @property
    def used(self) -> tuple[tuple[str, float, float], ...]:
        """(what, by the primary, by the candidate); what neither used is left out."""
        mine, theirs = (bill.used for bill in self.bills)
        told = zip((name for name, _ in USED), mine, theirs, strict=True)
        return tuple(entry for entry in told if entry[1] or entry[2])


def costs(comparisons: Sequence[Comparison]) -> Costs | None:
    """The night's bills; None when nothing ran."""
    if not comparisons:
        return None
    bills = (
        _bill([comparison.primary for comparison in comparisons]),
        _bill([comparison.candidate for comparison in comparisons]),
    )
    return Costs(bills, _chart(bills))


def _bill(sides: Sequence[Side]) -> Bill:
    prices = [s.cost_microdollars for s in sides if s.cost_microdollars is not None]
    engines = " and ".join(sorted({side.engine.value for side in sides}))
    return Bill(engines, sum(prices), len(prices), len(sides) - len(prices), _usage(sides))


def _usage(sides: Sequence[Side]) -> tuple[float, ...]:
    """What all steps used together; one pass, as a night has some hundred thousand steps."""
    totals = [0.0] * len(USED)
    for side in sides:
        for step in side.steps:
            for place, used in enumerate(_FIELDS(step.usage)):
                if used:
                    totals[place] += used
    return tuple(totals)


def _chart(bills: tuple[Bill, Bill]) -> Chart:
    full = [_full(bill) for bill in bills]
    room = WIDTH - NAME - 190
    scale = room / (max(full) or 1)
    shapes: list[Shape] = []
    for place, (bill, role) in enumerate(zip(bills, ("primary", "candidate"), strict=True)):
        y = place * GAP + 6
        known = bill.known * scale
        unknown = max(24.0, full[place] * scale - known) if bill.unpriced else 0.0
        if not bill.priced:
            unknown = room
        shapes.append(Shape("text", "name", 0, y + 14, text=f"{bill.name} ({role})"))
        shapes.append(Shape("rect", role, NAME, y, known, LANE, dollars(bill.known)))
        if unknown:
            said = f"{count(bill.unpriced)} runs without a price"
            shapes.append(Shape("rect", "hatched", NAME + known, y, unknown, LANE, said))
        end = NAME + known + unknown + 8
        shapes.append(Shape("text", "tick", end, y + 14, text=_said(bill)))
    return Chart(WIDTH, 2 * GAP + 6, "; ".join(f"{b.name}: {_said(b)}" for b in bills), (*shapes,))


def _full(bill: Bill) -> float:
    """The total if those without a price cost what the others do."""
    return bill.known / bill.priced * (bill.priced + bill.unpriced) if bill.priced else 0.0


def _said(bill: Bill) -> str:
    if not bill.priced:
        return "price unknown"
    return dollars(bill.known) + (f" + {count(bill.unpriced)} unknown" if bill.unpriced else "")

"""What both sides used and what it cost; a price that is not known is never taken for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reflector_migrate.model import Gist
from reflector_migrate.model.comparison_index import USED, numbers_of
from reports.charts import Chart, Shape
from reports.figures import count, dollars

WIDTH, NAME, LANE, GAP = 900, 190, 18, 30
_NAMES = {
    "gpu_seconds": "GPU seconds",
    "llm_calls": "model calls",
    "llm_tokens_in": "tokens in",
    "llm_tokens_out": "tokens out",
    "s3_bytes": "S3 bytes",
    "external_calls": "external calls",
    "retries": "retries",
    "cache_hits": "cache hits",
}


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
        reference, hypothesis = (bill.used for bill in self.bills)
        entries = zip((_NAMES[field] for field in USED), reference, hypothesis, strict=True)
        return tuple(entry for entry in entries if entry[1] or entry[2])


def costs(gists: Sequence[Gist]) -> Costs | None:
    """The night's bills; None when nothing ran."""
    if not gists:
        return None
    # what all steps of the primary used together, as in USED, then the candidate's
    numbers, columns = numbers_of([gist.used for gist in gists]), 2 * len(USED)
    used = tuple(sum(numbers[place::columns]) for place in range(columns))
    bills = (
        _bill([(g.primary_engine, g.primary_cost) for g in gists], used[: len(USED)]),
        _bill([(g.candidate_engine, g.candidate_cost) for g in gists], used[len(USED) :]),
    )
    return Costs(bills, _chart(bills))


def _bill(sides: Sequence[tuple[str, int | None]], used: tuple[float, ...]) -> Bill:
    prices = [price for _, price in sides if price is not None]
    engines = " and ".join(sorted({engine for engine, _ in sides}))
    return Bill(engines, sum(prices), len(prices), len(sides) - len(prices), used)


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

"""What both sides used and what it cost; a price that is not known is never taken for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reflector_migrate.model import Gist
from reflector_migrate.model.comparison_index import USED, numbers_of
from reflector_migrate.model.plural import plural
from reports.charts import Chart, Shape
from reports.figures import count, dollars, size

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
    """One side's total in micro-dollars over the pairs that have a price on both sides.

    `pairs` counts these pairs, `unpriced` this side's runs without a price. `used` is what all its
    runs used, as in USED.
    """

    name: str
    known: int
    pairs: int
    unpriced: int
    used: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Costs:
    """Both bills and their drawing; none where no pair has both prices."""

    bills: tuple[Bill, Bill]
    chart: Chart | None

    @property
    def used(self) -> tuple[tuple[str, str, str], ...]:
        """(what, by the primary, by the candidate), as shown; what neither used is left out."""
        both = zip(USED, *(bill.used for bill in self.bills), strict=True)
        return tuple(
            (_NAMES[field], _shown(field, primary), _shown(field, candidate))
            for field, primary, candidate in both
            if primary or candidate
        )


def costs(gists: Sequence[Gist]) -> Costs | None:
    """The night's bills; None when nothing ran."""
    if not gists:
        return None
    # what all steps of the primary used together, as in USED, then the candidate's
    numbers, columns = numbers_of([gist.used for gist in gists]), 2 * len(USED)
    used = tuple(sum(numbers[place::columns]) for place in range(columns))
    mine = [(g.primary_engine, g.primary_cost) for g in gists]
    theirs = [(g.candidate_engine, g.candidate_cost) for g in gists]
    pairs = [(a, b) for (_, a), (_, b) in zip(mine, theirs, strict=True) if None not in (a, b)]
    totals = [sum(price or 0 for price in side) for side in zip(*pairs, strict=True)] or [0, 0]
    bills = (
        _bill(mine, totals[0], len(pairs), used[: len(USED)]),
        _bill(theirs, totals[1], len(pairs), used[len(USED) :]),
    )
    return Costs(bills, _chart(bills) if pairs else None)


def _shown(field: str, number: float) -> str:
    return size(number) if field == "s3_bytes" else count(number)


def _bill(
    sides: Sequence[tuple[str, int | None]], total: int, pairs: int, used: tuple[float, ...]
) -> Bill:
    engines = " and ".join(sorted({engine for engine, _ in sides}))
    return Bill(engines, total, pairs, sum(price is None for _, price in sides), used)


def _chart(bills: tuple[Bill, Bill]) -> Chart:
    room = WIDTH - NAME - 190
    scale = room / (max(bill.known for bill in bills) or 1)
    shapes: list[Shape] = []
    for place, (bill, role) in enumerate(zip(bills, ("primary", "candidate"), strict=True)):
        y = place * GAP + 6
        known = bill.known * scale
        shapes.append(Shape("text", "name", 0, y + 14, text=f"{bill.name} ({role})"))
        shapes.append(Shape("rect", role, NAME, y, known, LANE, dollars(bill.known)))
        shapes.append(Shape("text", "tick", NAME + known + 8, y + 14, text=dollars(bill.known)))
    pairs = f"{count(bills[0].pairs)} {plural(bills[0].pairs, 'pair')} with a price on both sides"
    label = "; ".join(f"{bill.name}: {dollars(bill.known)}" for bill in bills)
    return Chart(WIDTH, 2 * GAP + 6, f"{pairs}: {label}", (*shapes,))

"""Usage into money by a dated price table; an unknown price is unknown, never zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from reflector_migrate.model import Check, Comparison, Side, StepRun, Usage
from reflector_migrate.settings import Price

MILLION = 1_000_000
GIB = 1 << 30

Prices = Sequence[Price]


class Cost(NamedTuple):
    """Micro-dollars by kind; None where something was used whose price is unknown."""

    gpu: int | None
    llm: int | None
    s3: int | None

    @property
    def total(self) -> int | None:
        """The sum, or None as soon as a part is unknown."""
        return _sum(self.gpu, self.llm, self.s3)


def priced(comparison: Comparison, prices: Prices) -> Comparison:
    """The comparison with each side's cost on the day it ran, in its check `cost` too."""
    given = (comparison.primary, comparison.candidate, comparison.secondary)
    primary, candidate, secondary = (side and _with_cost(side, prices) for side in given)
    texts = {
        "reference_text": _told(primary, prices),
        "hypothesis_text": _told(candidate, prices),
    }
    checks = tuple(_telling(check, texts) for check in comparison.checks)
    sides = {"primary": primary, "candidate": candidate, "secondary": secondary}
    return comparison.model_copy(update={**sides, "checks": checks})


def usage_of(side: Side) -> Usage:
    """All attempts of all steps together."""
    return sum((step.usage for step in side.steps), start=Usage())


def cost_of_side(side: Side, prices: Prices) -> int | None:
    """Micro-dollars; None where a price is missing, or where use was not counted."""
    return cost_of_steps(side, side.steps, prices)


def cost_of_steps(side: Side, steps: Sequence[StepRun], prices: Prices) -> int | None:
    """The same of some of a side's steps; of a side that counted nothing each is unknown."""
    return least_cost_of_steps(side, steps, prices) if all(map(is_counted, steps)) else None


def least_cost_of_steps(side: Side, steps: Sequence[StepRun], prices: Prices) -> int | None:
    """Micro-dollars of what is known to have been used; None as above, where a price is missing."""
    if usage_of(side) == Usage():
        return None
    price = price_on(prices, side.started.date()) if side.started else None
    return cost_of(sum((step.usage for step in steps), start=Usage()), price).total


def is_counted(attempt: StepRun) -> bool:
    """Whether its usage is complete: a killed worker reports a part, a silent one nothing."""
    is_cut_short = attempt.status in ("failed", "timed_out", "cancelled") and attempt.started
    return not attempt.usage.is_partial and (not is_cut_short or attempt.usage != Usage())


def price_on(prices: Prices, day: date) -> Price | None:
    """The latest price in force on `day`."""
    valid = [price for price in prices if date.fromisoformat(price.since) <= day]
    return max(valid, key=lambda price: price.since) if valid else None


def cost_of(usage: Usage, price: Price | None) -> Cost:
    """What this usage cost at this price; without one only what was not used has a cost."""
    known = price or Price(since="")
    return Cost(
        gpu=_times(usage.gpu_seconds, known.gpu_second),
        llm=_sum(
            _times(usage.llm_tokens_in / MILLION, known.llm_tokens_in_million),
            _times(usage.llm_tokens_out / MILLION, known.llm_tokens_out_million),
        ),
        s3=_sum(
            _times(usage.s3_bytes / GIB, known.s3_gib),
            _times(usage.s3_requests / MILLION, known.s3_requests_million),
        ),
    )


def _with_cost(side: Side, prices: Prices) -> Side:
    return side.model_copy(update={"cost_microdollars": cost_of_side(side, prices)})


def _told(side: Side | None, prices: Prices) -> str:
    if side is None:
        return "price unknown"
    if side.cost_microdollars is not None:
        return f"${side.cost_microdollars / MILLION:.4f}"
    least = least_cost_of_steps(side, side.steps, prices)
    return f"at least ${least / MILLION:.4f}" if least else "price unknown"


def _telling(check: Check, texts: Mapping[str, str]) -> Check:
    """The check `cost` with money before what was used; any other as it is."""
    if check.name != "cost" or check.measure is None:
        return check
    texts_with_cost = {key: f"{text}, {getattr(check.measure, key)}" for key, text in texts.items()}
    return check.model_copy(update={"measure": check.measure.model_copy(update=texts_with_cost)})


def _sum(*parts: int | None) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _times(amount: float, microdollars: int | None) -> int | None:
    if not amount:
        return 0
    return None if microdollars is None else round(amount * microdollars)

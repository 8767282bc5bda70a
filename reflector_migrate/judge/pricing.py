"""Usage into money by a dated price table; an unknown price is unknown, never zero."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple, Protocol

from reflector_migrate.model import Usage

MILLION = 1_000_000
GIB = 1 << 30


class PriceLike(Protocol):
    """What was paid from a day on, in micro-dollars; None is unknown."""

    @property
    def since(self) -> str:
        """ISO date."""

    @property
    def gpu_second(self) -> int | None:
        """Per GPU second."""

    @property
    def llm_tokens_in_million(self) -> int | None:
        """Per million prompt tokens."""

    @property
    def llm_tokens_out_million(self) -> int | None:
        """Per million completion tokens."""

    @property
    def s3_gib(self) -> int | None:
        """Per GiB transferred."""


class Cost(NamedTuple):
    """Micro-dollars by kind; None where something was used whose price is unknown."""

    gpu: int | None
    llm: int | None
    s3: int | None

    @property
    def total(self) -> int | None:
        """The sum, or None as soon as a part is unknown."""
        parts = (self.gpu, self.llm, self.s3)
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None


def price_on(prices: Sequence[PriceLike], day: date) -> PriceLike | None:
    """The youngest entry that is not younger than `day`."""
    valid = [price for price in prices if date.fromisoformat(price.since) <= day]
    return max(valid, key=lambda price: price.since) if valid else None


def cost_of(usage: Usage, price: PriceLike | None) -> Cost:
    """What this usage cost at this price."""
    if price is None:
        return Cost(_free(usage.gpu_seconds), _free(_tokens(usage)), _free(usage.s3_bytes))
    per_in, per_out = price.llm_tokens_in_million, price.llm_tokens_out_million
    tokens_in = _times(usage.llm_tokens_in / MILLION, per_in)
    tokens_out = _times(usage.llm_tokens_out / MILLION, per_out)
    is_known = tokens_in is not None and tokens_out is not None
    return Cost(
        gpu=_times(usage.gpu_seconds, price.gpu_second),
        llm=(tokens_in or 0) + (tokens_out or 0) if is_known else None,
        s3=_times(usage.s3_bytes / GIB, price.s3_gib),
    )


def _tokens(usage: Usage) -> int:
    return usage.llm_tokens_in + usage.llm_tokens_out


def _free(amount: float) -> int | None:
    return None if amount else 0


def _times(amount: float, microdollars: int | None) -> int | None:
    if not amount:
        return 0
    return None if microdollars is None else round(amount * microdollars)

"""What a measure shows of both sides, as amounts and in words."""

from __future__ import annotations

from typing import TypedDict

from reflector_migrate.model import Amount, Unit


class Sides(TypedDict):
    """The fields of a Measure that say what both sides amount to."""

    reference_text: str
    hypothesis_text: str
    reference_amount: Amount
    hypothesis_amount: Amount


def sides(reference: int, hypothesis: int, unit: Unit) -> Sides:
    """Both sides as numbers of one thing."""
    amounts = Amount(unit=unit, number=reference), Amount(unit=unit, number=hypothesis)
    return Sides(
        reference_text=amounts[0].text,
        hypothesis_text=amounts[1].text,
        reference_amount=amounts[0],
        hypothesis_amount=amounts[1],
    )

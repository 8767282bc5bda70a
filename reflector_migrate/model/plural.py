"""A number and what it counts, as a reader expects it."""

from __future__ import annotations


def plural(number: int, noun: str) -> str:
    """`topic` of one, `topics` of any other number."""
    return noun if number == 1 else f"{noun}s"


def counted(number: int, noun: str) -> str:
    """`1 topic`, `2 topics`, `0 topics`."""
    return f"{number} {plural(number, noun)}"

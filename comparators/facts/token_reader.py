"""A reader of facts goes through a text's tokens: each belongs to one fact at most."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from comparators.facts.tokens import ORDINAL, Reading

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Fact(NamedTuple):
    """kind: number | percent | money | duration | date | time | participant | negation."""

    kind: str
    value: str


class Reader:
    """What was read, and which of its tokens are taken."""

    def __init__(self, reading: Reading) -> None:
        """Nothing is taken yet."""
        self.reading = reading
        self.lexicon = reading.lexicon
        self.tokens = reading.tokens
        self._taken: set[int] = set()

    def at(self, index: int) -> str:
        """The token there; nothing outside the text or where a fact has taken it."""
        inside = 0 <= index < len(self.tokens) and index not in self._taken
        return self.tokens[index] if inside else ""

    def sentence(self, index: int, reach: int) -> tuple[range, range]:
        """Where the sentence around `index` goes on, and where it comes from (backwards).

        At most `reach` tokens either way: some transcripts have no punctuation at all.
        """
        last, first = min(index + reach, len(self.tokens) - 1), max(index - reach, 0)
        end, begin = index, index
        while end < last and not self.reading.is_stop(end):
            end += 1
        while begin > first and not self.reading.is_stop(begin - 1):
            begin -= 1
        return range(index + 1, end + 1), range(index - 1, begin - 1, -1)

    def take(self, *indices: int) -> None:
        """These belong to a fact."""
        self._taken.update(indices)

    def number(self, index: int) -> float | None:
        """The number there, in figures; None of so many figures that no double holds it."""
        match = _NUMBER.fullmatch(self.at(index))
        number = float(match.group()) if match else math.inf
        return number if math.isfinite(number) else None

    def ordinal(self, index: int) -> tuple[int, int] | None:
        """(value, tokens it takes) of `3rd`, `third`, `twenty third`."""
        token = self.at(index)
        match = ORDINAL.fullmatch(token)
        if match:
            return int(match.group(1)), 1
        tens, unit = self.number(index), self.lexicon.ordinals.get(self.at(index + 1), 0)
        if tens in {20, 30} and 0 < unit < 10 and self.lexicon.language == "en":
            return int(tens) + unit, 2
        value = self.lexicon.ordinals.get(token)
        return (value, 1) if value else None

"""Tokens beside the places of the words they come from: two lists, for a transcript is long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Span = tuple[int, int, str]
"""Tokens from..to, and the one that stands for them."""


class Placed(NamedTuple):
    """Tokens in order, and for each the place of its word."""

    tokens: list[str]
    places: list[int]

    @classmethod
    def of(cls, words: Sequence[str], parts: Mapping[str, Sequence[str]]) -> Placed:
        """The words' tokens, by what each distinct word is made of."""
        return cls(
            [token for word in words for token in parts[word]],
            [place for place, word in enumerate(words) for _ in parts[word]],
        )

    def replaced(self, spans: Iterable[Span]) -> Placed:
        """Each span by one token, at the place of its first; in order, none overlapping."""
        tokens, places, done = list[str](), list[int](), 0
        for start, end, token in spans:
            tokens += [*self.tokens[done:start], token]
            places += self.places[done : start + 1]
            done = end
        return Placed(tokens + self.tokens[done:], places + self.places[done:])

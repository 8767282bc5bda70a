"""A text's tokens with the places they come from; spans of them become one token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import NamedTuple

Span = tuple[int, int, str]
"""Tokens from..to, and the one that stands for them."""


class TokenStream(NamedTuple):
    """Tokens in order, and for each the place of the word it comes from: a transcript is long."""

    tokens: list[str]
    places: list[int]

    @classmethod
    def of(cls, words: Sequence[str], parts: Mapping[str, Sequence[str]]) -> TokenStream:
        """The words' tokens, by what each distinct word is made of."""
        found = list(map(parts.__getitem__, words))
        places = map(repeat, range(len(found)), map(len, found))
        return cls(list(chain.from_iterable(found)), list(chain.from_iterable(places)))

    def replaced(self, spans: Iterable[Span]) -> TokenStream:
        """Each span by one token, at the place of its first; in order, none overlapping."""
        tokens, places, done = list[str](), list[int](), 0
        for start, end, token in spans:
            tokens += [*self.tokens[done:start], token]
            places += self.places[done : start + 1]
            done = end
        return TokenStream(tokens + self.tokens[done:], places + self.places[done:])

    def without(self, token: str) -> TokenStream:
        """Without each such token."""
        if token not in self.tokens:
            return self
        kept = [at for at, each in enumerate(self.tokens) if each != token]
        return TokenStream([self.tokens[at] for at in kept], [self.places[at] for at in kept])

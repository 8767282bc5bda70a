"""A transcript's words as columns and as integers, made once per pair of transcripts.

Pure from outside: what is remembered is a function of the values alone, held for
the few pairs compared last, and dropped by `forget`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from comparators.alignment.distance import Alphabet, Block, blocks
from comparators.language.normalise import tokens_of, with_numbers
from comparators.language.token_stream import Placed
from reflector_migrate.model import Observation, Word

_Value = TypeVar("_Value")


class Columns(NamedTuple):
    """Tokens of a transcript, and for each the place of the word it comes from."""

    tokens: list[str]
    places: list[int]
    words: tuple[Word, ...]

    def start_s(self, token: int) -> float:
        """When the token's word starts; after the last one, when that ends."""
        if token < len(self.places):
            return self.words[self.places[token]].start
        return self.words[-1].end if self.words else 0.0

    def position(self, token: int) -> int:
        """The token's word's place in the transcript."""
        return self.places[token] if token < len(self.places) else len(self.words)

    def speaker(self, token: int) -> int | None:
        """Who says the token's word."""
        return self.words[self.places[token]].speaker if token < len(self.places) else None

    def speakers(self, start: int, end: int) -> list[int]:
        """Who says tokens start..end."""
        return [self.words[place].speaker for place in self.places[start:end]]

    def text(self, start: int, end: int) -> str:
        """Tokens start..end as one string, a blank between any two."""
        return " ".join(" ".join(self.tokens[start:end]).split())


class Pair(NamedTuple):
    """Two transcripts' tokens, encoded over one alphabet, and their alignment."""

    reference: Columns
    hypothesis: Columns
    reference_code: str
    hypothesis_code: str
    blocks: list[Block]


class _Same:
    """A value that equals only itself: the key of what was made from it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


def language_of(observation: Observation) -> str | None:
    """The language spoken, as the run was told; the row's when the run does not say."""
    row_language = observation.outputs.row.get("source_language")
    return observation.language or (row_language if isinstance(row_language, str) else None)


def normalised(words: tuple[Word, ...], language: str | None) -> Columns:
    """The words' normalised tokens; punctuation alone gives none."""
    texts = [word.text for word in words]
    known = {text: tokens_of(text.strip(), language) for text in set(texts)}
    return Columns(*with_numbers(Placed.of(texts, known), language), words)


def raw(words: tuple[Word, ...]) -> Columns:
    """The words as received, blanks included: those set them apart in every text made of them."""
    return Columns([word.text for word in words], list(range(len(words))), words)


def word_pair(reference: Observation, hypothesis: Observation) -> Pair:
    """Both transcripts normalised and aligned; remembered for the last few pairs.

    Both sides are normalised in the reference's language: a wrong language on one
    side must show as different words, not as a different reading of the same ones.
    """
    language = language_of(reference) or language_of(hypothesis)
    return _normalised_pair(
        _Same(reference.outputs.words), _Same(hypothesis.outputs.words), language
    )


def raw_pair(reference: Observation, hypothesis: Observation) -> Pair:
    """Both transcripts as received, aligned."""
    return _raw_pair(_Same(reference.outputs.words), _Same(hypothesis.outputs.words))


@lru_cache(maxsize=4)
def _normalised_pair(reference: _Same, hypothesis: _Same, language: str | None) -> Pair:
    sides = reference.value, hypothesis.value
    return _align(*[remembered(normalised, words, language) for words in sides])


@lru_cache(maxsize=4)
def _raw_pair(reference: _Same, hypothesis: _Same) -> Pair:
    return _align(raw(reference.value), raw(hypothesis.value))


def _align(reference: Columns, hypothesis: Columns) -> Pair:
    """Encode both over one alphabet and align them."""
    alphabet = Alphabet()
    codes = alphabet.encode(reference.tokens), alphabet.encode(hypothesis.tokens)
    return Pair(reference, hypothesis, *codes, blocks(*codes))


@lru_cache(maxsize=64)
def _remembered(make: Callable[..., Any], value: _Same, *how: Hashable) -> Any:
    return make(value.value, *how)


def remembered(make: Callable[..., _Value], value: Any, *how: Hashable) -> _Value:
    """make(value, *how), made once for this very object while it is among the last few."""
    made: _Value = _remembered(make, _Same(value), *how)
    return made


def forget() -> None:
    """Drop what is remembered, so that large transcripts can be freed."""
    for cache in (_normalised_pair, _raw_pair, _remembered):
        cache.cache_clear()

"""Transcripts as tokens and as integers, and two of them aligned.

`Transcripts` belongs to one comparison: it reads each transcript once and aligns each pair
once, for all measures that ask. It ends with the comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from comparators.alignment.distance import Alphabet, Block, blocks
from comparators.language.normalise import tokens_of, with_numbers
from comparators.language.token_stream import TokenStream
from reflector_migrate.model import Observation, Word

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, eq=False)
class Derives:
    """A value that keeps what was worked out of it, for as long as it lives itself."""

    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, make: Callable[..., _Made], *how: Hashable) -> _Made:
        """make(self, *how), worked out when it is first asked for."""
        key = (make, *how)
        if key not in self._made:
            self._made[key] = make(self, *how)
        made: _Made = self._made[key]
        return made


@dataclass(frozen=True, slots=True, eq=False)
class Columns(Derives):
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


@dataclass(frozen=True, slots=True, eq=False)
class Pair(Derives):
    """Two transcripts' tokens, encoded over one alphabet, and their alignment."""

    reference: Columns
    hypothesis: Columns
    reference_code: str
    hypothesis_code: str
    blocks: list[Block]


@dataclass(frozen=True, slots=True, eq=False)
class Transcript(Derives):
    """The words of one run."""

    words: tuple[Word, ...]

    def normalised(self, language: str | None) -> Columns:
        """The words' normalised tokens; punctuation alone gives none."""
        return self.once(_normalised, language)


class Transcripts:
    """The transcripts of one comparison, each read once and each pair aligned once."""

    def __init__(self) -> None:
        """None is read yet."""
        self._read: dict[int, Transcript] = {}

    def of(self, observation: Observation) -> Transcript:
        """The run's transcript, the same one each time."""
        words = observation.outputs.words  # which the transcript keeps: their id stays theirs
        return self._read.setdefault(id(words), Transcript(words))

    def words(self, reference: Observation, hypothesis: Observation) -> Pair:
        """Both transcripts normalised and aligned.

        Both sides are normalised in the reference's language: a wrong language on one
        side must show as different words, not as a different reading of the same ones.
        """
        language = language_of(reference) or language_of(hypothesis)
        return self.of(reference).once(_normalised_pair, self.of(hypothesis), language)

    def raw_words(self, reference: Observation, hypothesis: Observation) -> Pair:
        """Both transcripts as received, aligned."""
        return self.of(reference).once(_raw_pair, self.of(hypothesis))


def language_of(observation: Observation) -> str | None:
    """The language spoken, as the run was configured; the row's when the run does not say."""
    row_language = observation.outputs.row.get("source_language")
    return observation.language or (row_language if isinstance(row_language, str) else None)


def raw(words: tuple[Word, ...]) -> Columns:
    """The words as received, blanks included: those set them apart in every text made of them."""
    return Columns([word.text for word in words], list(range(len(words))), words)


def _normalised(transcript: Transcript, language: str | None) -> Columns:
    texts = [word.text for word in transcript.words]
    known = {text: tokens_of(text.strip(), language) for text in set(texts)}
    return Columns(*with_numbers(TokenStream.of(texts, known), language), transcript.words)


def _normalised_pair(reference: Transcript, hypothesis: Transcript, language: str | None) -> Pair:
    return _aligned(reference.normalised(language), hypothesis.normalised(language))


def _raw_pair(reference: Transcript, hypothesis: Transcript) -> Pair:
    return _aligned(raw(reference.words), raw(hypothesis.words))


def _aligned(reference: Columns, hypothesis: Columns) -> Pair:
    """Encode both over one alphabet and align them."""
    alphabet = Alphabet()
    codes = alphabet.encode(reference.tokens), alphabet.encode(hypothesis.tokens)
    return Pair(reference, hypothesis, *codes, blocks(*codes))

"""Transcripts as tokens and as integers, and two of them aligned.

`Transcripts` belongs to one comparison: it reads each transcript once and aligns each pair
once, for all measures that ask. It ends with the comparison.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeVar

from comparators.alignment.distance import Alphabet, Block, bag_bound, blocks, count
from comparators.alignment.interleaving import Side, in_order_of, is_reordered
from comparators.language.normalise import has_number_words, parts_of, with_numbers
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
    """Tokens of a transcript, and for each the place of the word it comes from.

    One side of a pair may have concurrent words in the other's order, not in its own.
    """

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
    """Numbers are read in each speaker's own words: Ann's twenty and Bo's three do not make 23."""
    words = transcript.words
    parts = {text: parts_of(text, language) for text in {word.text for word in words}}
    if not any(has_number_words(part, language) for part in parts.values()):
        return Columns(*TokenStream.of([word.text for word in words], parts), words)
    by_speaker = defaultdict[int, list[int]](list)
    for place, word in enumerate(words):
        by_speaker[word.speaker].append(place)
    found = list[tuple[int, str]]()
    for places in by_speaker.values():
        own = TokenStream.of([words[place].text for place in places], parts)
        tokens, at = with_numbers(own, language)
        found += zip(map(places.__getitem__, at), tokens, strict=True)
    found.sort(key=itemgetter(0))
    return Columns([token for _, token in found], [place for place, _ in found], words)


def _normalised_pair(reference: Transcript, hypothesis: Transcript, language: str | None) -> Pair:
    return _aligned(reference.normalised(language), hypothesis.normalised(language))


def _raw_pair(reference: Transcript, hypothesis: Transcript) -> Pair:
    return _aligned(raw(reference.words), raw(hypothesis.words))


def _aligned(reference: Columns, hypothesis: Columns) -> Pair:
    """Encode both over one alphabet and align them, concurrent speakers in one order.

    Whichever side is put in the other's order with fewer edits: so they are the same both ways,
    also where the sides disagree on who says a word and its order is free on one of them only.
    """
    alphabet = Alphabet()
    codes = alphabet.encode(reference.tokens), alphabet.encode(hypothesis.tokens)
    pair = Pair(reference, hypothesis, *codes, blocks(*codes))
    if count(pair.blocks).total == bag_bound(*codes):  # no order of the words has fewer edits
        return pair
    sides = _side(reference, codes[0]), _side(hypothesis, codes[1])
    if not _is_any_reordered(pair, *sides):
        return pair
    theirs, their_code = _in_order(hypothesis, codes[1], in_order_of(*sides))
    mine, my_code = _in_order(reference, codes[0], in_order_of(*reversed(sides)))
    return min(
        pair,
        Pair(reference, theirs, codes[0], their_code, blocks(codes[0], their_code)),
        Pair(mine, hypothesis, my_code, codes[1], blocks(my_code, codes[1])),
        key=lambda each: count(each.blocks).total,
    )


def _is_any_reordered(pair: Pair, reference: Side, hypothesis: Side) -> bool:
    """Asked of one alignment whichever side is which, for there are several as short."""
    if pair.reference.tokens < pair.hypothesis.tokens:
        return is_reordered(reference, hypothesis, pair.blocks)
    return is_reordered(hypothesis, reference, blocks(hypothesis.code, reference.code))


def _in_order(columns: Columns, code: str, order: list[int]) -> tuple[Columns, str]:
    """A side's tokens, and their code, in another order."""
    tokens = list(map(columns.tokens.__getitem__, order))
    places = list(map(columns.places.__getitem__, order))
    return Columns(tokens, places, columns.words), "".join(map(code.__getitem__, order))


def _side(columns: Columns, code: str) -> Side:
    words = [columns.words[place] for place in columns.places]
    return Side(code, [word.speaker for word in words], [word.start for word in words])

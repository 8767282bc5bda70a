"""A text's tokens, and what is known of each: worked out once, however often facts are sought.

`telling` are the places where a date, a time or an amount may begin: a transcript
has few of them. A reader of facts goes through the tokens: each belongs to one fact at most.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

from comparators.language.lexicon import GERMAN, GERMAN_DAYS, LEXICONS, Lexicon
from comparators.language.normalise import parts_of, with_numbers, words_in
from comparators.language.numbers import with_halves
from comparators.language.spellings import spelt
from comparators.language.token_stream import TokenStream

ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")
_GLUED = re.compile(r"(\d+(?:\.\d+)?)([^\W\d_]{1,4})")
_STOPS = frozenset(".!?;:")
# What is rare stands first, then what must be before it: searched many times faster.
_MINUS = re.compile(r"[-\u2212](?<![^\s(].)(?=\d)")
_LIST_MARK = re.compile(rf"^\s*\d{{1,3}}[.)]\s+(?!(?:{'|'.join(GERMAN.months)})\b)", re.M | re.I)

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Reading:
    """Tokens in order, and of each whether its word began with a capital or ended a sentence."""

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        """Read in the lexicon's language; numbered lists' own numbers are left out."""
        text = spelt(_LIST_MARK.sub(" ", _MINUS.sub(" minus ", text)))
        self._words = words_in(text)
        parts = {word: _parts(word, lexicon.language) for word in set(self._words)}
        found = with_numbers(TokenStream.of(self._words, parts), lexicon.language)
        self.lexicon = lexicon
        self.tokens, places = with_halves(found, lexicon)
        self._places = [*places, len(self._words)]
        telling = {token for token in set(self.tokens) if _tells(token, lexicon.language)}
        self.telling = [index for index, token in enumerate(self.tokens) if token in telling]

    def is_capital(self, index: int) -> bool:
        """Whether the token's word began with a capital."""
        word = self._words[self._places[index]]
        if word.isalpha():
            return word[0].isupper()
        return next((c.isupper() for c in word if c.isalpha()), False)

    def has_capitals(self) -> bool:
        """Whether any token's word did."""
        return any(map(self.is_capital, range(len(self.tokens))))

    def is_stop(self, index: int) -> bool:
        """Whether a sentence ends behind the token, in front of the next one's word."""
        words = self._words[self._places[index] : self._places[index + 1]]
        return any(map(_ends, words))


@lru_cache
def _beginnings(language: str) -> frozenset[str]:
    """Words a date, a time or an amount may begin with."""
    lexicon = LEXICONS[language]
    return frozenset().union(lexicon.days, lexicon.months, lexicon.relatives, lexicon.ordinals,
                             lexicon.ones, lexicon.clock)  # fmt: skip


def _tells(token: str, language: str) -> bool:
    """Whether a date, a time or an amount may begin with the token."""
    if token in _beginnings(language) or not token.isalpha():
        return True
    return language == "de" and token.startswith(GERMAN_DAYS)


def _parts(word: str, language: str) -> list[str]:
    if word.isascii() and word.isalpha():
        return [word.lower()]
    return [part for token in parts_of(word, language) for part in _apart(token)]


def _apart(token: str) -> tuple[str, ...]:
    """`5km` is two tokens; `3rd` and `q3` stay one."""
    match = _GLUED.fullmatch(token)
    return match.groups() if match and not ORDINAL.fullmatch(token) else (token,)


def _ends(word: str) -> bool:
    """Whether a sentence's mark stands behind the word's last letter or figure.

    From behind, each character once: a line of dots takes a regular expression its square.
    """
    behind = takewhile(_is_mark, reversed(word))
    return not _STOPS.isdisjoint(behind)


def _is_mark(character: str) -> bool:
    return not (character.isalnum() or character == "_")


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

"""A text's tokens as a reader of facts goes through them: each belongs to one fact at most.

`telling` are the places where a date, a time or an amount may begin: a transcript
has few of them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from comparators.halves import with_halves
from comparators.lexicon import GERMAN_DAYS, LEXICONS, Lexicon
from comparators.normalise import tokens_of, with_numbers, words_in

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")
_GLUED = re.compile(r"(\d+(?:\.\d+)?)([^\W\d_]{1,4})")
_SPELT = re.compile(r"\b(a|p)\. ?m\b\.?|\bper cent\b|\bpro cent\b", re.IGNORECASE)
_ENDS = re.compile(r"[.!?;:]\W*$")
_MINUS = re.compile(r"(?:(?<=\s)|(?<=\()|^)[-\u2212](?=\d)")
_LIST_MARK = re.compile(r"^\s*\d{1,3}[.)]\s+", re.MULTILINE)


class Fact(NamedTuple):
    """kind: number | percent | money | duration | date | time | participant | negation."""

    kind: str
    value: str


class Reader:
    """Tokens in order, which of their words began with a capital, and which are taken."""

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        """Read in the lexicon's language; numbered lists' own numbers are left out."""
        text = _SPELT.sub(_joined, _LIST_MARK.sub(" ", _MINUS.sub(" minus ", text)))
        words = words_in(text)
        known_words = set(words)
        parts = {word: _parts(word, lexicon.language) for word in known_words}
        found = [(part, place) for place, word in enumerate(words) for part in parts[word]]
        joined = with_halves(with_numbers(found, lexicon.language), lexicon)
        self.lexicon = lexicon
        self.tokens = [token for token, _ in joined]
        capitals = {word for word in known_words if _is_capital(word)}
        self.capitals = [words[place] in capitals for _, place in joined]
        ending = {word for word in known_words if _ENDS.search(word)}
        ended = [0, *accumulate(word in ending for word in words)]
        places = [place for _, place in joined]
        self._stops = [ended[b] > ended[a] for a, b in pairwise([*places, len(words)])]
        known = {token: _tells(token, lexicon.language) for token in set(self.tokens)}
        self.telling = [index for index, token in enumerate(self.tokens) if known[token]]
        self._taken: set[int] = set()

    def at(self, index: int) -> str:
        """The token there; nothing outside the text or where a fact has taken it."""
        inside = 0 <= index < len(self.tokens) and index not in self._taken
        return self.tokens[index] if inside else ""

    def sentence(self, index: int) -> tuple[range, range]:
        """Where the sentence around `index` goes on, and where it comes from (backwards)."""
        end, begin = index + 1, index - 1
        while end < len(self.tokens) and not self._stops[end - 1]:
            end += 1
        while begin >= 0 and not self._stops[begin]:
            begin -= 1
        return range(index + 1, end), range(index - 1, begin, -1)

    def take(self, *indices: int) -> None:
        """These belong to a fact."""
        self._taken.update(indices)

    def number(self, index: int) -> float | None:
        """The number there, in figures."""
        match = _NUMBER.fullmatch(self.at(index))
        return float(match.group()) if match else None

    def ordinal(self, index: int) -> tuple[int, int] | None:
        """(value, tokens it takes) of `3rd`, `third`, `twenty third`."""
        token = self.at(index)
        match = _ORDINAL.fullmatch(token)
        if match:
            return int(match.group(1)), 1
        tens, unit = self.number(index), self.lexicon.ordinals.get(self.at(index + 1), 0)
        if tens in {20, 30} and 0 < unit < 10 and self.lexicon.language == "en":
            return int(tens) + unit, 2
        value = self.lexicon.ordinals.get(token)
        return (value, 1) if value else None


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


def _joined(match: re.Match[str]) -> str:
    """`a.m.` is `am`, `per cent` is `percent`."""
    return f"{match.group(1)}m " if match.group(1) else "percent"


def _parts(word: str, language: str) -> list[str]:
    if word.isascii() and word.isalpha():
        return [word.lower()]
    return [part for token in tokens_of(word, language) for part in _apart(token)]


def _apart(token: str) -> tuple[str, ...]:
    """`5km` is two tokens; `3rd` and `q3` stay one."""
    match = _GLUED.fullmatch(token)
    return match.groups() if match and not _ORDINAL.fullmatch(token) else (token,)


def _is_capital(word: str) -> bool:
    """Whether its first letter is."""
    if word.isalpha():
        return word[0].isupper()
    return next((c.isupper() for c in word if c.isalpha()), False)

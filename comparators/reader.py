"""A text's tokens as a reader of facts goes through them: each belongs to one fact at most.

`telling` are the places where a date, a time or an amount may begin: a transcript
has few of them.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from comparators.halves import with_halves
from comparators.lexicon import GERMAN_DAYS, Lexicon
from comparators.normalise import tokens_of, with_numbers, words_in

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DIGIT = re.compile(r"\d")
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
        found = [
            (part, place)
            for place, word in enumerate(words)
            for token in tokens_of(word, lexicon.language)
            for part in _apart(token)
        ]
        joined = with_halves(with_numbers(found, lexicon.language), lexicon)
        self.lexicon = lexicon
        self.tokens = [token for token, _ in joined]
        self.capitals = [_is_capital(words[place]) for _, place in joined]
        places = [place for _, place in joined]
        self._stops = [
            any(map(_ENDS.search, words[place:after]))
            for place, after in pairwise([*places, len(words)])
        ]
        known = {token: _tells(token, lexicon) for token in set(self.tokens)}
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


def _tells(token: str, lexicon: Lexicon) -> bool:
    """Whether a date, a time or an amount may begin with the token."""
    tables = (lexicon.days, lexicon.months, lexicon.relatives, lexicon.ordinals, lexicon.ones,
              lexicon.clock)  # fmt: skip
    return (
        any(token in table for table in tables)
        or bool(_DIGIT.search(token))
        or (lexicon.language == "de" and token.startswith(GERMAN_DAYS))
    )


def _joined(match: re.Match[str]) -> str:
    """`a.m.` is `am`, `per cent` is `percent`."""
    return f"{match.group(1)}m " if match.group(1) else "percent"


def _apart(token: str) -> tuple[str, ...]:
    """`5km` is two tokens; `3rd` and `q3` stay one."""
    match = _GLUED.fullmatch(token)
    return match.groups() if match and not _ORDINAL.fullmatch(token) else (token,)


def _is_capital(word: str) -> bool:
    letters = [c for c in word if c.isalpha()]
    return bool(letters) and letters[0].isupper()

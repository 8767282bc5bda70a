"""A text's sentences, and their clauses by words of content and what they negate."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from comparators.facts import extract
from comparators.lexicon import LEXICONS, Lexicon
from comparators.normalise import tokens_of, words_in
from comparators.stems import stem

SHORTEST = 4
_ENDS = re.compile(r"(?<=[.!?;])\s+|\n+")
_PAUSES = re.compile(r"(?<=[.!?;,:])\s+|\n+")


class Clause(NamedTuple):
    """Stems of its words of content, and those of them that it negates."""

    stems: frozenset[str]
    negated: frozenset[str]


def split(text: str) -> list[str]:
    """The sentences; a line's end is one's end."""
    return _ENDS.split(text)


def stems(words: Iterable[str], lexicon: Lexicon) -> frozenset[str]:
    """Of words of content; figures are facts of their own."""
    tokens = {token for word in words for token in tokens_of(word, lexicon.language)}
    aside = lexicon.skipped | lexicon.negations
    telling = (t for t in tokens if len(t) >= SHORTEST and t.isalpha() and t not in aside)
    return frozenset(stem(token, lexicon.language) for token in telling)


def clauses(text: str, language: str) -> list[Clause]:
    """Every clause of a text: a list's entries are one each, or all would negate each other's.

    Raises KeyError for a language without a lexicon.
    """
    return [_clause(one, LEXICONS[language]) for one in _PAUSES.split(text)]


def _clause(text: str, lexicon: Lexicon) -> Clause:
    facts = extract(text, lexicon.language)
    negated = frozenset(fact.value for fact in facts if fact.kind == "negation")
    return Clause(stems(words_in(text), lexicon) | negated, negated)

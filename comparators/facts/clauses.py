"""A text's sentences, and their clauses by words of content and what they negate."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from comparators.facts.facts import extract
from comparators.language.lexicon import GERMAN, LEXICONS, Lexicon
from comparators.language.normalise import tokens_of, words_in
from comparators.language.stems import stem

SHORTEST = 4
_ABBREVIATED = r"(?<!\b(?-i:[DMS][rst])\.)(?<!\bMrs\.)(?<!\bProf\.)(?<!\b(?-i:ca)\.)"
_NUMBERED = r"(?:(?<!\b[Nn][or]\.)|(?!\s+\d))"
_DATED = rf"(?:(?<!\d\.)|(?!\s+(?:{'|'.join(GERMAN.months)})\b))"
_WITHIN = _ABBREVIATED + _NUMBERED + _DATED
"""A full stop of `Dr. Meier`, `no. 5` or `14. März` ends nothing; one of `20 ms.` does."""
_ENDS = re.compile(rf"(?<=[.!?;]){_WITHIN}\s+|(?<=[\u3002\uff01\uff1f])|\n+", re.I)
_PAUSES = re.compile(rf"(?<=[.!?;,:]){_WITHIN}\s+|(?<=[\u3002\uff01\uff1f\uff0c\u3001])|\n+", re.I)


class Clause(NamedTuple):
    """Stems of its words of content, those of them that it negates, and of short words too.

    has_limit: `not until Friday` is nearer to `on Friday` than to `until Friday`.
    """

    stems: frozenset[str]
    negated: frozenset[str]
    all_stems: frozenset[str]
    has_limit: bool


def split(text: str) -> list[str]:
    """The sentences; a line's end is one's end."""
    return _ENDS.split(text)


def stems(words: Iterable[str], lexicon: Lexicon, shortest: int = SHORTEST) -> frozenset[str]:
    """Of words of content; figures are facts of their own."""
    tokens = {token for word in words for token in tokens_of(word, lexicon.language)}
    aside = lexicon.skipped | lexicon.negations
    telling = (t for t in tokens if len(t) >= shortest and t.isalpha() and t not in aside)
    return frozenset(stem(token, lexicon.language) for token in telling)


def clauses(text: str, language: str, names: Iterable[str] = ()) -> list[Clause]:
    """Every clause of a text: a list's entries are one each, or all would negate each other's.

    `names` are people's, who are negated by nothing.
    Raises KeyError for a language without a lexicon.
    """
    return _stated(_PAUSES.split(text), LEXICONS[language], names)


def wholes(text: str, language: str, names: Iterable[str] = ()) -> list[Clause]:
    """Every sentence of a text, read like a clause; as `clauses`."""
    return _stated(split(text), LEXICONS[language], names)


def _stated(texts: Iterable[str], lexicon: Lexicon, names: Iterable[str]) -> list[Clause]:
    """Each as a clause, but what is asked: that states nothing."""
    return [_clause(one, lexicon, names) for one in texts if not one.rstrip().endswith("?")]


def _clause(text: str, lexicon: Lexicon, names: Iterable[str]) -> Clause:
    facts, words = extract(text, lexicon.language, names), words_in(text)
    negated = frozenset(fact.value for fact in facts if fact.kind == "negation")
    telling = stems(words, lexicon) - _denying(lexicon.language)
    has_limit = any(token in lexicon.limits for word in words for token in tokens_of(word))
    return Clause(telling | negated, negated, stems(words, lexicon, 1) | negated, has_limit)


@lru_cache
def _denying(language: str) -> frozenset[str]:
    """Words of a clause that only say that something was not done, or decided against."""
    lexicon = LEXICONS[language]
    return stems(lexicon.refusals | lexicon.negators | lexicon.occasions, lexicon)

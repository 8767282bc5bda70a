"""Clauses that one text negates and another states: aligned by their words, not by their place.

A pair that paraphrase explains is left out: a list of key words, a question, `not until
Friday` beside `on Friday`, what stands beside the negation in the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from comparators.facts.clauses import Clause, clauses, wholes

MIN_REST, MOST = 2, 2 / 3
"""Words of a negated clause that must be there without the negation, and their share."""


class Text(NamedTuple):
    """A text, the language it is read in, and the people it may name."""

    text: str
    language: str
    names: frozenset[str]


def turned(values: Collection[str], negating: Text, stating: Text) -> frozenset[str]:
    """Of these stems, those that one text negates in a clause which the other states.

    What a clause of a single word negates is sought by its whole sentence.
    """
    mine = clauses(*negating)
    lone = {value for one in mine if len(one.all_stems) == 1 for value in one.negated}
    by_clause = _opposite(values, mine, clauses(*stating), _is_mostly)
    by_whole = _opposite(lone.intersection(values), wholes(*negating), wholes(*stating), _is_whole)
    return by_clause | by_whole


def _opposite(
    values: Collection[str],
    negating: Iterable[Clause],
    stating: Iterable[Clause],
    is_same: Callable[[str, Clause, Clause], bool],
) -> frozenset[str]:
    """Each text's clauses once, and by what they negate or state: a text may repeat itself."""
    mine = dict.fromkeys(negating)
    denied = _by_stem(values, ((one, one.negated) for one in mine))
    stated = (one for one in dict.fromkeys(stating) if one not in mine)
    plain = _by_stem(values, ((one, one.all_stems - one.negated) for one in stated))
    return frozenset(
        value
        for value in denied.keys() & plain.keys()
        if any(
            is_same(value, one, other) and (other.has_limit or not one.has_limit)
            for one in denied[value]
            for other in plain[value]
        )
    )


def _by_stem(
    values: Collection[str], found: Iterable[tuple[Clause, frozenset[str]]]
) -> Mapping[str, list[Clause]]:
    by: dict[str, list[Clause]] = {}
    for one, stems in found:
        for value in stems.intersection(values):
            by.setdefault(value, []).append(one)
    return by


def _is_mostly(value: str, negated: Clause, other: Clause) -> bool:
    """All or most of its words but the one; a single word may stand anywhere."""
    rest = negated.stems - {value}
    least = max(MIN_REST, MOST * len(rest))
    is_all = other.stems | {value} == negated.stems
    return bool(rest) and (is_all or len(rest & other.stems) >= least)


def _is_whole(_value: str, negated: Clause, other: Clause) -> bool:
    """A whole sentence, word for word but for the negation."""
    return other.all_stems == negated.all_stems

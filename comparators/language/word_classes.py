"""Words by which sentences that are otherwise alike say another thing: one file a language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from comparators.language.figures import data_of
from comparators.language.lexicon import LEXICONS, Lexicon
from comparators.language.stems import stem


@dataclass(frozen=True, slots=True)
class WordClasses:
    """Words as normalised, but for opposites: these are stems, each with all its opposites.

    ignored: may be there or not. phrases: words that are read as one. joining, mutual: around
    these, or a deed of both, two names may change places. passive: turns a sentence round.
    conditions: what they begin counts, however short. quantities and modality: the class of a
    word, by its name. units: the canonical form of what is counted.
    """

    language: str
    ignored: frozenset[str]
    phrases: Mapping[tuple[str, ...], str]
    joining: frozenset[str]
    mutual: frozenset[str]
    passive: frozenset[str]
    conditions: frozenset[str]
    opposites: Mapping[str, frozenset[str]]
    quantities: Mapping[str, str]
    modality: Mapping[str, str]
    units: Mapping[str, str]
    negations: frozenset[str]

    def are_opposite(self, first: str, second: str) -> bool:
        """Whether one says the contrary of the other, in whatever form."""
        return stem(second, self.language) in self.opposites.get(
            stem(first, self.language), frozenset()
        )

    def has_opposite(self, word: str) -> bool:
        """Whether the word stands in a list of opposites."""
        return stem(word, self.language) in self.opposites


@lru_cache
def classes_of(language: str) -> WordClasses:
    """The lists of a language. Raises KeyError for one without a file."""
    lexicon = LEXICONS[language]
    file = data_of(language)
    if lexicon.figures:
        return _of_figures(lexicon, file)
    lists = file["words"]
    return WordClasses(
        language=language,
        ignored=frozenset(file["ignored"].split()),
        phrases={tuple(said.split()): word for said, word in file["phrases"].items()},
        joining=frozenset(lists["joining"].split()),
        mutual=frozenset(lists["mutual"].split()),
        passive=frozenset(lists["passive"].split()),
        conditions=frozenset(lists["conditions"].split()),
        opposites=_opposites(lists["opposites"], language),
        quantities=_named(lists["quantities"]),
        modality={word: name for name, words in file["modality"].items()
                  for word in words.split()},
        units={**lexicon.units, **lexicon.measures, **lexicon.spans},
        negations=lexicon.negations,
    )  # fmt: skip


def _of_figures(lexicon: Lexicon, file: Mapping[str, Any]) -> WordClasses:
    """Nothing but what counts, what negates and what joins."""
    none = frozenset[str]()
    return WordClasses(
        language=lexicon.language,
        ignored=none,
        phrases={},
        joining=frozenset(file["joining"].split()),
        mutual=none,
        passive=none,
        conditions=none,
        opposites={},
        quantities={},
        modality={},
        units={**lexicon.units, **lexicon.measures, **lexicon.spans},
        negations=lexicon.negations,
    )


def _named(lines: Iterable[str]) -> dict[str, str]:
    """Each word by the first of its line."""
    return {word: line.split()[0] for line in lines for word in line.split()}


def _opposites(lines: Iterable[tuple[str, str]], language: str) -> dict[str, frozenset[str]]:
    """Both ways; a word of several lines has the opposites of each."""
    found: dict[str, set[str]] = {}
    for line in lines:
        one, other = ({stem(word, language) for word in side.split()} for side in line)
        for word in one:
            found.setdefault(word, set()).update(other - one)
        for word in other:
            found.setdefault(word, set()).update(one - other)
    return {word: frozenset(against) for word, against in found.items()}

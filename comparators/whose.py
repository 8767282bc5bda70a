"""Sentences of a text that give one person what another said, by the run's own transcript.

Who speaks is known of every word; a sentence that names one person, and whose words
of content are said by somebody else alone, has the wrong name. Each side is read beside
its own transcript, so neither wording nor misheard words make one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from comparators.columns import remembered
from comparators.facts import people_in
from comparators.lexicon import LEXICONS, Lexicon
from comparators.normalise import normalise, words_in
from comparators.reader import Fact
from comparators.sentences import split, stems
from reflector_migrate.model import Observation, Word

KIND = "attribution"
MIN_TELLING = 3
"""Words that one person alone says, before a sentence is theirs."""
MANY_TIMES = 3
"""And so many times as many as the person named says."""


class Owners(NamedTuple):
    """Stems that one speaker alone says, and whose they are; None: more than one says it."""

    by_stem: Mapping[str, int | None]


def attributions(
    text: str, language: str, observation: Observation, names: Iterable[str]
) -> frozenset[Fact]:
    """One fact for each person who is given another's words: `ann ash says what bo birch said`."""
    lexicon, speakers = LEXICONS[language], _speakers(observation, language)
    if len(speakers) < 2:
        return frozenset()
    found = set[Fact | None]()
    for sentence in split(text):
        named = people_in(sentence, lexicon, names)
        if len(named) == 1:
            found.add(_wrong(sentence, next(iter(named)), lexicon, speakers, observation))
    return frozenset(fact for fact in found if fact)


def _speakers(observation: Observation, language: str) -> dict[int, str]:
    """Names as facts have them, by speaker."""
    return {
        p.speaker: " ".join(normalise(p.name, language))
        for p in observation.outputs.participants
        if p.speaker is not None and p.name
    }


def _wrong(
    sentence: str,
    named: str,
    lexicon: Lexicon,
    speakers: Mapping[int, str],
    observation: Observation,
) -> Fact | None:
    """What is wrong about who is named; None where nothing shows it."""
    owners = remembered(_owners, observation.outputs.words, lexicon.language)
    told = dict.fromkeys(speakers, 0)
    for one in stems(words_in(sentence), lexicon):
        owner = owners.by_stem.get(one)
        if owner in told:
            told[owner] += 1
    own = sum(n for speaker, n in told.items() if speakers[speaker] == named)
    sayer = max(told, key=lambda speaker: told[speaker])
    is_anothers = told[sayer] >= max(MIN_TELLING, MANY_TIMES * own)
    if not is_anothers or speakers[sayer] == named or named not in speakers.values():
        return None
    return Fact(KIND, f"{named} says what {speakers[sayer]} said")


def _owners(words: Iterable[Word], language: str) -> Owners:
    lexicon = LEXICONS[language]
    said: dict[int, set[str]] = {}
    for word in words:
        said.setdefault(word.speaker, set()).add(word.text.strip())
    found: dict[str, int | None] = {}
    for speaker, texts in said.items():
        for one in stems(texts, lexicon):
            found[one] = None if one in found else speaker
    return Owners(found)

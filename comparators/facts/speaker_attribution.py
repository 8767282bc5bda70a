"""Sentences of a text that give one person what another said, by the run's own transcript.

The speaker of every word is known. A sentence that names one person has the wrong name
if another person alone said its content words. Each side is read beside
its own transcript, so neither wording nor misheard words make one.

One such sentence may be a task that one person takes on after another's report. Names
that changed places leave two: who said the words is named elsewhere, beside words of
another person. Only these count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from comparators.alignment.transcript_pair import Transcript
from comparators.facts.clauses import split, stems
from comparators.facts.facts import people_in
from comparators.facts.tokens import Fact
from comparators.language.lexicon import LEXICONS, Lexicon
from comparators.language.normalise import normalise, words_in
from reflector_migrate.model import Participant

KIND = "attribution"
MIN_TELLING = 3
"""Words that one person alone says, before a sentence is theirs."""
MANY_TIMES = 3
"""And so many times as many as the person named says."""
MIN_RETURNED = 2
"""Words of another person beside the speaker's name, and more than the speaker's own."""


class Owners(NamedTuple):
    """Stems that one speaker alone says, and whose they are; None: more than one says it."""

    by_stem: Mapping[str, int | None]


class _Credited(NamedTuple):
    """A sentence's one name, how many words are theirs, and who else says most of it."""

    named: str
    own: int
    sayer: str
    others: int


def attributions(
    text: str,
    language: str,
    transcript: Transcript,
    participants: Iterable[Participant],
    names: Iterable[str],
) -> frozenset[Fact]:
    """One fact for each person who is given another's words: `ann ash says what bo birch said`."""
    lexicon, speakers = LEXICONS[language], _speakers(participants, language)
    if len(speakers) < 2 or lexicon.figures:
        return frozenset()
    owners = transcript.once(_owners, language)
    credited = [
        _told(sentence, next(iter(named)), lexicon, speakers, owners)
        for sentence in split(text)
        for named in [people_in(sentence, lexicon, names)]
        if len(named) == 1
    ]
    misplaced = {one.named for one in credited if one.others >= max(MIN_RETURNED, one.own + 1)}
    return frozenset(
        Fact(KIND, f"{one.named} says what {one.sayer} said")
        for one in credited
        if one.sayer in misplaced and one.others >= max(MIN_TELLING, MANY_TIMES * one.own)
    )


def _speakers(participants: Iterable[Participant], language: str) -> dict[int, str]:
    """Names as facts have them, by speaker."""
    return {
        p.speaker: " ".join(normalise(p.name, language))
        for p in participants
        if p.speaker is not None and p.name
    }


def _told(
    sentence: str, named: str, lexicon: Lexicon, speakers: Mapping[int, str], owners: Owners
) -> _Credited:
    """Whose words stand beside a name; no other person's if the named one never speaks."""
    matches = dict.fromkeys(speakers.values(), 0)
    for one in stems(words_in(sentence), lexicon):
        owner = owners.by_stem.get(one)
        if owner is not None and owner in speakers:
            matches[speakers[owner]] += 1
    others = {name: n for name, n in matches.items() if name != named and named in matches}
    sayer = max(others, key=lambda name: others[name], default=named)
    return _Credited(named, matches.get(named, 0), sayer, others.get(sayer, 0))


def _owners(transcript: Transcript, language: str) -> Owners:
    lexicon = LEXICONS[language]
    said: dict[int, set[str]] = {}
    for word in transcript.words:
        said.setdefault(word.speaker, set()).add(word.text.strip())
    found: dict[str, int | None] = {}
    for speaker, texts in said.items():
        for one in stems(texts, lexicon):
            found[one] = None if one in found else speaker
    return Owners(found)

"""Sentences of two texts, those that are alike but for a few words put side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from comparators.alignment.distance import Alphabet
from comparators.facts.clauses import split
from comparators.facts.facts import extract
from comparators.facts.tokens import ORDINAL, Fact, Reading
from comparators.language.figures import written_out
from comparators.language.lexicon import LEXICONS, Lexicon
from comparators.language.normalise import normalise
from comparators.language.stems import stem
from comparators.language.word_classes import classes_of

ALIKE = 0.6
"""What two sentences share of their words, in order, at least."""
MOST = 300
"""Sentences of one text that are looked at, equal ones aside: each meets each of the other's."""
FIGURE, DATE, PERSON = "#", "@date", "@person"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence's words, and what stands in their place where only the kind of word counts.

    `shape` has one mark for each figure, date or person; `stems` are those of the shape;
    `names` are written with a capital where no sentence begins.
    """

    text: str
    words: tuple[str, ...]
    shape: tuple[str, ...]
    stems: tuple[str, ...]
    names: frozenset[str]
    facts: frozenset[Fact]

    def of(self, mark: str) -> tuple[str, ...]:
        """The words that have that mark, in order."""
        return tuple(w for w, s in zip(self.words, self.shape, strict=True) if s == mark)

    def rest(self, words: Iterable[str]) -> tuple[str, ...]:
        """All words but those."""
        without = frozenset(words)
        return tuple(word for word in self.words if word not in without)


class Aligned(NamedTuple):
    """Sentences side by side, and those of either text that have no counterpart."""

    pairs: list[tuple[Sentence, Sentence]]
    missing: list[Sentence]
    extra: list[Sentence]
    equal: int


def align(first: str, second: str, language: str, people: frozenset[str]) -> Aligned:
    """Equal sentences set aside; of the rest the most alike first, each once.

    Raises KeyError for a language without a lexicon.
    """
    texts = Counter(_trimmed(first)), Counter(_trimmed(second))
    rest = [list((texts[n] - texts[1 - n]).elements())[:MOST] for n in (0, 1)]
    reference, hypothesis = ([read(text, language, people) for text in side] for side in rest)
    pairs = _paired(reference, hypothesis)
    taken = {i for i, _ in pairs}, {j for _, j in pairs}
    return Aligned(
        [(reference[i], hypothesis[j]) for i, j in pairs],
        [one for i, one in enumerate(reference) if i not in taken[0]],
        [one for j, one in enumerate(hypothesis) if j not in taken[1]],
        (texts[0] & texts[1]).total(),
    )


def _trimmed(text: str) -> list[str]:
    sentences = (sentence.strip(" \t#*-.") for sentence in split(text))
    return [sentence for sentence in sentences if sentence]


@lru_cache(maxsize=4096)
def read(text: str, language: str, people: frozenset[str]) -> Sentence:
    """A sentence's words without those that say nothing; a person is one word."""
    lexicon, ignored = LEXICONS[language], classes_of(language).ignored
    spelt = written_out(text, lexicon.figures) if lexicon.figures else text
    reading = Reading(spelt, lexicon)
    bearers = _bearers(people, language)
    words, shape, names, done = list[str](), list[str](), set[str](), 0
    for index in range(len(reading.tokens)):
        if index < done:
            continue
        token, done = _phrase(reading.tokens, index, language)
        person = bearers.get(token) or bearers.get(token.removesuffix("s"))
        is_capital = reading.is_capital(index)
        if person and is_capital:
            if not (shape and shape[-1] == PERSON and words[-1] == person):
                words.append(person)
                shape.append(PERSON)
        elif token not in ignored:
            words.append(token)
            shape.append(_mark(token, lexicon, is_capital=is_capital))
            if is_capital and index:
                names.add(token)
    return Sentence(text, tuple(words), tuple(shape),
                    tuple(stem(each, language) for each in shape), frozenset(names),
                    extract(text, language, people))  # fmt: skip


def _phrase(tokens: Sequence[str], index: int, language: str) -> tuple[str, int]:
    """(word, where the next begins) of what stands there, several words read as one."""
    phrases = classes_of(language).phrases
    for length in (3, 2):
        word = phrases.get(tuple(tokens[index : index + length]))
        if word:
            return word, index + length
    return tokens[index], index + 1


def _mark(token: str, lexicon: Lexicon, *, is_capital: bool) -> str:
    if token[0].isdigit():
        return DATE if ORDINAL.fullmatch(token) else FIGURE
    is_date = token in lexicon.days or (token in lexicon.months and token not in lexicon.unsure)
    is_month = token in lexicon.unsure and is_capital
    return DATE if is_date or is_month else token


@lru_cache(maxsize=64)
def _bearers(people: frozenset[str], language: str) -> dict[str, str]:
    """The one person whom a part of a name may mean; parts that several bear mean none."""
    parts = [(part, " ".join(name)) for person in people if not person.startswith("Speaker ")
             for name in [normalise(person, language)] for part in name]  # fmt: skip
    counted = Counter(part for part, _ in set(parts))
    return {part: name for part, name in parts if counted[part] == 1}


def _paired(reference: Sequence[Sentence], hypothesis: Sequence[Sentence]) -> list[tuple[int, int]]:
    """Greedily, by shared words in order; of equally alike ones those with the same figures."""
    from rapidfuzz.distance import Indel

    alphabet = Alphabet()
    shapes = [[alphabet.encode(one.stems) for one in side] for side in (reference, hypothesis)]
    sets = [[frozenset(one.stems) for one in side] for side in (reference, hypothesis)]
    found = []
    for i, mine in enumerate(reference):
        for j, theirs in enumerate(hypothesis):
            shared, longest = len(sets[0][i] & sets[1][j]), max(len(sets[0][i]), len(sets[1][j]))
            if not longest or shared < longest / 2:
                continue
            alike = Indel.normalized_similarity(shapes[0][i], shapes[1][j])
            is_one_word = len(mine.shape) == len(theirs.shape) == shared + 1
            if alike >= ALIKE or is_one_word:
                same = len(frozenset(mine.words) & frozenset(theirs.words))
                found.append((-alike - 0.3 * same / len(mine.words), abs(i - j), i, j))
    pairs, taken = list[tuple[int, int]](), (set[int](), set[int]())
    for *_, i, j in sorted(found):
        if i not in taken[0] and j not in taken[1]:
            pairs.append((i, j))
            taken[0].add(i)
            taken[1].add(j)
    return sorted(pairs)

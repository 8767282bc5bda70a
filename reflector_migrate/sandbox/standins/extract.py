"""What a text says, read without a model: sentences, key words, figures, dates, names, negations.

Everything returned is found in the text, so that what was lost or changed on the
way to the language model is lost or changed in its answer too.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

WORD = re.compile(r"\d+(?:[.,:/]\d+)+%?|\d+%|[^\W_]+(?:['’-][^\W_]+)*")
SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+")
LABEL = re.compile(r"^\s*(?:[-*]\s+)?([^\W\d_][^:\n]{0,40}):\s+(\S.*)$")
SAID = "said|noted|stated|sagte|a dit|dijo"
QUOTED = re.compile(rf"([^\W\d_][^\"]{{0,40}}?) (?:{SAID}) \"([^\"]+)\"\.?")
LONGEST_SENTENCE = 30


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def _vocabulary(name: str) -> frozenset[str]:
    return frozenset(_tables()[name].split())


STOP_WORDS_OF = {code: frozenset(w.split()) for code, w in _tables()["stop_words"].items()}
STOP_WORDS = frozenset[str]().union(*STOP_WORDS_OF.values())
NEGATIONS = _vocabulary("negations")
NUMBER_WORDS = _vocabulary("number_words")
DATE_WORDS = _vocabulary("date_words")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence and who said it (empty when the text does not say)."""

    text: str
    speaker: str = ""

    @property
    def spoken(self) -> str:
        """The sentence with its speaker in front, as one would quote it."""
        return f"{self.speaker}: {self.text}" if self.speaker else self.text


@dataclass(frozen=True, slots=True)
class Facts:
    """What a summary must not get wrong, each in order of appearance, without repeats."""

    figures: tuple[str, ...]
    dates: tuple[str, ...]
    names: tuple[str, ...]
    negations: tuple[str, ...]


class Text:
    """A text, read once."""

    def __init__(self, raw: str) -> None:
        self.raw = raw.strip()

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """Every sentence in order; `Name: text` lines carry their speaker."""
        return tuple(_sentences(self.raw))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every word of the sentences, labels left out."""
        return tuple(w for s in self.sentences for w in WORD.findall(s.text))

    @cached_property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks, in order of appearance."""
        return tuple(dict.fromkeys(s.speaker for s in self.sentences if s.speaker))

    @cached_property
    def frames(self) -> dict[str, str]:
        """The framing words of the text's language (whose stop words it uses most)."""
        lowered = [w.lower() for w in self.words]
        hits = {code: sum(w in stop for w in lowered) for code, stop in STOP_WORDS_OF.items()}
        return dict(_tables()["frames"][max(hits, key=lambda code: hits[code])])

    @cached_property
    def weights(self) -> Counter[str]:
        """How often each content word occurs (lower case)."""
        lowered = (w.lower() for w in self.words)
        return Counter(w for w in lowered if _is_content(w))

    def key_words(self, limit: int) -> list[str]:
        """The weightiest content words, in the order in which they first appear."""
        first = {word: place for place, word in reversed(list(enumerate(self._content)))}
        ranked = sorted(self.weights, key=lambda w: (-self.weights[w], first[w]))[:limit]
        return sorted(ranked, key=lambda w: first[w])

    def key_phrases(self, limit: int) -> list[str]:
        """The weightiest pairs of neighbouring content words; single words fill up."""
        pairs = Counter(self._pairs())
        ranked = sorted(pairs, key=lambda p: (-pairs[p], -self._weight(p)))
        chosen: list[str] = []
        used: set[str] = set()
        for phrase in [*ranked, *self.key_words(limit)]:
            parts = set(phrase.split())
            if len(chosen) < limit and not parts & used:
                chosen.append(phrase)
                used |= parts
        flat = " ".join(self._content)
        return sorted(chosen, key=flat.find)

    def top_sentences(self, limit: int) -> list[Sentence]:
        """The weightiest distinct sentences, in the order of the text."""
        distinct = list({s.spoken: s for s in self.sentences}.values())
        ranked = sorted(distinct, key=lambda s: -self.weight_of(s))[:limit]
        return [s for s in distinct if s in ranked]

    def about(self, subject: str, limit: int) -> list[Sentence]:
        """Distinct sentences that share a content word with the subject."""
        wanted = {w.lower() for w in WORD.findall(subject)} - STOP_WORDS
        distinct = {s.spoken: s for s in self.sentences}.values()
        hits = [s for s in distinct if wanted & {w.lower() for w in WORD.findall(s.text)}]
        return hits[:limit]

    def weight_of(self, sentence: Sentence) -> float:
        """Mean weight of a sentence's content words; short ones count less."""
        words = [w.lower() for w in WORD.findall(sentence.text)]
        return sum(self.weights[w] for w in words) / (len(words) + 4)

    @cached_property
    def facts(self) -> Facts:
        """Figures, dates, names and negations."""
        spoken = [WORD.findall(s.text) for s in self.sentences]
        return Facts(
            figures=_unique(p for ws in spoken for p in _figures(ws)),
            dates=_unique(w for ws in spoken for w in ws if w.lower() in DATE_WORDS),
            names=_unique([*self.speakers, *(p for ws in spoken for p in _names(ws))]),
            negations=_unique(p for ws in spoken for p in _negations(ws)),
        )

    @cached_property
    def _content(self) -> list[str]:
        return [w.lower() for w in self.words if _is_content(w.lower())]

    def _pairs(self) -> Iterator[str]:
        for sentence in self.sentences:
            words = [w.lower() for w in WORD.findall(sentence.text)]
            for one, two in pairwise(words):
                if _is_content(one) and _is_content(two):
                    yield f"{one} {two}"

    def _weight(self, phrase: str) -> int:
        return sum(self.weights[w] for w in phrase.split())


def kin(word: str) -> list[str]:
    """Other dates or numbers of the word's own sort and language (a line of words.toml)."""
    lines: list[str] = (_tables()["date_words"] + _tables()["number_words"]).splitlines()
    family: list[str] = next((line.split() for line in lines if word.lower() in line.split()), [])
    return [other for other in family if other != word.lower()]


def is_negation(word: str) -> bool:
    """Whether a word turns its sentence round."""
    lowered = word.lower().replace("’", "'")
    return lowered in NEGATIONS or lowered.endswith("n't")


def is_number(word: str) -> bool:
    """Whether a word is a number, in digits or spelled out."""
    return word[0].isdigit() or word.lower() in NUMBER_WORDS


def _sentences(raw: str) -> Iterator[Sentence]:
    speaker = ""
    for line in raw.splitlines():
        labelled = LABEL.match(line)
        is_spoken = labelled is not None and _is_name(labelled[1])
        if labelled and is_spoken:
            speaker = labelled[1].strip()
        said = labelled[2] if labelled and is_spoken else line
        for piece in SENTENCE_END.split(said.strip()):
            quoted = QUOTED.fullmatch(piece)
            text, by = (quoted[2], quoted[1]) if quoted else (piece, speaker)
            yield from (Sentence(part, by) for part in _windows(text))


def _windows(piece: str) -> Iterator[str]:
    """Cut unpunctuated text into bearable lengths; nothing is dropped."""
    words = piece.split()
    for start in range(0, len(words), LONGEST_SENTENCE):
        window = " ".join(words[start : start + LONGEST_SENTENCE])
        if WORD.search(window):
            yield window


def _is_name(label: str) -> bool:
    words = label.split()
    return len(words) <= 4 and all(w[0].isupper() or w[0].isdigit() for w in words)


def _is_content(word: str) -> bool:
    is_told_apart = is_number(word) or is_negation(word) or word in DATE_WORDS
    return len(word) > 2 and word not in STOP_WORDS and not is_told_apart


def _figures(words: list[str]) -> Iterator[str]:
    for place, word in enumerate(words):
        if is_number(word) and not (place and is_number(words[place - 1])):
            end = place + 1
            while end < len(words) and is_number(words[end]):
                end += 1
            yield " ".join(words[place : min(end + 1, len(words))])


def _names(words: list[str]) -> Iterator[str]:
    run: list[str] = []
    for word in [*words[1:], ""]:  # a sentence's first word is capitalised anyway
        lowered = word.lower().partition("'")[0]
        if word[:1].isupper() and lowered not in STOP_WORDS | DATE_WORDS:
            run.append(word)
        elif run:
            yield " ".join(run)
            run = []


def _negations(words: list[str]) -> Iterator[str]:
    for place, word in enumerate(words):
        if is_negation(word):
            yield " ".join(words[place : place + 3])


def _unique(items: Iterable[str]) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for item in items:
        first.setdefault(item.lower(), item)
    return tuple(first.values())

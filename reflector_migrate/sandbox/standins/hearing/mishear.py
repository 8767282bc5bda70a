"""Makes heard words wrong on purpose: recognition noise, and speech taken for another language."""

from __future__ import annotations

import bisect
import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reflector_migrate.sandbox.standins.hearing.corpus import Corpus
from reflector_migrate.sandbox.standins.hearing.listen import HeardWord

NEARBY = 20  # words of about the same length to choose a wrong one from


@dataclass(frozen=True, slots=True)
class Noise:
    """How many of 100 words come out wrong (`wer` is a share), and the seed that decides which."""

    wer: float = 0.0
    seed: int = 0


class Vocabulary:
    """The words of one language, by length."""

    def __init__(self, corpus: Corpus, language: str) -> None:
        spoken = (p.utterance for p in corpus.prints if p.utterance.language == language)
        words = {w.word.strip(".,;:?!") for u in spoken for w in u.words}
        self._words = sorted(words, key=lambda word: (len(word), word))
        self._lengths = [len(word) for word in self._words]

    def instead_of(self, word: str, salt: str) -> str:
        """Another word of about that length; the same for the same salt."""
        middle = bisect.bisect_left(self._lengths, len(word))
        near = self._words[max(0, middle - NEARBY) : middle + NEARBY]
        others = [other for other in near if other.lower() != word.strip(".,;:?!").lower()]
        return random.Random(f"{salt}:{word}").choice(others) if others else f"{word}'"  # noqa: S311 - noise, not secrets


def with_noise(
    words: Iterable[HeardWord], noise: Noise, salt: str, vocabulary: Vocabulary
) -> Iterator[HeardWord]:
    """Substitute, delete and insert words, two to one to one; `salt` names audio and call."""
    draw = random.Random(f"{noise.seed}:{salt}")  # noqa: S311 - noise, not secrets
    for place, heard in enumerate(words):
        chance, key = draw.random(), f"{noise.seed}:{salt}:{place}"
        if chance < 0.5 * noise.wer:
            wrong = vocabulary.instead_of(heard.word, key)
            yield HeardWord(wrong, heard.start_s, heard.end_s)
        elif chance < 0.75 * noise.wer:
            continue
        elif chance < noise.wer:
            middle_s = (heard.start_s + heard.end_s) / 2
            yield HeardWord(heard.word, heard.start_s, middle_s)
            yield HeardWord(vocabulary.instead_of("the", key), middle_s, heard.end_s)
        else:
            yield heard


def in_wrong_language(words: Iterable[HeardWord], vocabulary: Vocabulary) -> Iterator[HeardWord]:
    """What a recogniser set to the wrong language hears: that language's words, none right."""
    for heard in words:
        salt = hashlib.sha256(heard.word.encode()).hexdigest()
        yield HeardWord(vocabulary.instead_of(heard.word, salt), heard.start_s, heard.end_s)

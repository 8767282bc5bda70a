"""From a file's bytes to the words a recogniser would answer with."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from reflector_migrate.sandbox.standins.hearing.corpus import Corpus, load_corpus
from reflector_migrate.sandbox.standins.hearing.listen import (
    HeardUtterance,
    HeardWord,
    Hearing,
    listen,
)
from reflector_migrate.sandbox.standins.hearing.mishear import (
    Noise,
    Vocabulary,
    in_wrong_language,
    with_noise,
)
from reflector_migrate.sandbox.standins.hearing.sound import decode

REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Heard:
    """What was found in a file, and the hash by which it is remembered."""

    sha256: str
    hearing: Hearing


class Ear:
    """Knows the corpus; hears the same bytes only once. Safe to share between threads."""

    def __init__(self, root: Path) -> None:
        self._corpus: Corpus = load_corpus(root)
        self._heard: OrderedDict[str, Hearing] = OrderedDict()
        self._lock = Lock()
        self.languages = self._corpus.languages
        self._vocabularies = {name: Vocabulary(self._corpus, name) for name in self.languages}

    def hear(self, audio: bytes) -> Heard:
        """Find the known utterances; raises UndecodableError."""
        digest = hashlib.sha256(audio).hexdigest()
        with self._lock:
            known = self._heard.get(digest)
        hearing = listen(decode(audio), self._corpus) if known is None else known
        with self._lock:
            self._heard[digest] = hearing
            self._heard.move_to_end(digest)
            if len(self._heard) > REMEMBERED:
                self._heard.popitem(last=False)
        return Heard(digest, hearing)

    def words(
        self, hearing: Hearing, language: str, noise: Noise, salt: str
    ) -> tuple[HeardWord, ...]:
        """The words in order of start, as a service set to `language` would report them."""
        vocabulary = self._vocabularies[language]
        words = [
            word
            for utterance in hearing.utterances
            for word in _understood(utterance, language, vocabulary)
        ]
        words.sort(key=lambda word: word.start_s)
        return tuple(with_noise(words, noise, salt, vocabulary) if noise.wer > 0 else words)


def _understood(
    heard: HeardUtterance, language: str, vocabulary: Vocabulary
) -> Iterable[HeardWord]:
    if heard.utterance.language == language:
        return heard.words
    return in_wrong_language(heard.words, vocabulary)

"""Facts of what was said, for what was written of it to be held against."""

from __future__ import annotations

from collections.abc import Sequence

from comparators.alignment.transcript_pair import remembered
from comparators.facts.facts import Read, facts_of, read
from comparators.facts.token_reader import Fact
from reflector_migrate.model import Word


def spoken_facts(
    words: Sequence[Word], language: str, names: frozenset[str] = frozenset()
) -> frozenset[Fact]:
    """Facts of a transcript, which is read once for all that ask; as `extract`."""
    return remembered(_facts, words, language, names)


def _facts(words: Sequence[Word], language: str, names: frozenset[str]) -> frozenset[Fact]:
    return facts_of(remembered(_read, words, language), names)


def _read(words: Sequence[Word], language: str) -> Read:
    return read(" ".join([word.text for word in words]), language)

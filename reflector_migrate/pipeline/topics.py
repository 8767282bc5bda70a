"""Cuts a meeting's words into topics, as legacy cuts them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CHUNK_WORDS = 300
MIN_CHARS = 750
NAMES = uuid.UUID("5a1d6f0e-6f0d-4d43-9f6a-2f1d9c8f4b10")

Word = Mapping[str, Any]


def stretches(words: Sequence[Word]) -> Iterator[list[Word]]:
    """The words of each topic: chunks of 300 words, joined until their text exceeds 750 chars.

    What remains at the end is a topic of its own, however short.
    """
    gathered: list[Word] = []
    for start in range(0, len(words), CHUNK_WORDS):
        gathered.extend(words[start : start + CHUNK_WORDS])
        if len(text_of(gathered)) > MIN_CHARS:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def text_of(words: Sequence[Word]) -> str:
    """The words as received, put together with nothing between them."""
    return "".join(word["text"] for word in words)


def topic_id(run_id: str, index: int) -> str:
    """A UUID that the same topic of the same run always has."""
    return str(uuid.uuid5(NAMES, f"{run_id}/topic/{index}"))


def tidy_title(title: str) -> str:
    """Quotes stripped; the first word and words of more than three letters capitalised."""
    words = title.strip().strip("\"'").split()
    return " ".join(
        word.capitalize() if place == 0 or len(word) > 3 else word.lower()
        for place, word in enumerate(words)
    )

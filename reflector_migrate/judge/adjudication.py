"""One difference of a recording, shown blind: both texts, without their sides, in a random order.

A FAIL of a mean says that the candidate differs by more than the margin. Which side is better
only a reader can say, who does not know which side is which.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from reflector_migrate.model import Comparison, Outputs, Topic, Turn

Text = Literal["words", "topics", "title", "short_summary", "long_summary"]
Choice = Literal["primary", "candidate", "same"]
Key = Literal["first", "second", "same"]

TEXTS: dict[str, Text] = {
    "words": "words", "words_raw": "words", "speaker_words": "words", "word_times": "words",
    "topic_boundaries": "topics", "topic_content": "topics", "topic_facts": "topics",
    "topics": "topics",
    "title": "title", "title_facts": "title", "short_summary": "short_summary",
    "long_summary": "long_summary", "summary_facts": "long_summary",
}  # fmt: skip
"""What is shown to a reader for a gate, or for a text by its own name."""


class Piece(NamedTuple):
    """A stretch of a text, and whether the other side has something else there."""

    text: str
    is_changed: bool


Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Hunk:
    """One stretch in which a recording's two runs differ; `head` says where it is."""

    recording: str
    run: str
    text: Text
    head: str
    primary: Pieces
    candidate: Pieces

    @property
    def digest(self) -> str:
        """SHA-256 of what is shown: names it in the log, without a word of it."""
        said = repr((self.run, self.text, self.head, self.primary, self.candidate))
        return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Blind:
    """A hunk as a reader sees it: the first text is the candidate's where `is_swapped`."""

    hunk: Hunk
    is_swapped: bool

    @property
    def texts(self) -> tuple[Pieces, Pieces]:
        """The first and the second text."""
        sides = self.hunk.primary, self.hunk.candidate
        return (sides[1], sides[0]) if self.is_swapped else sides

    def choice(self, key: Key) -> Choice:
        """The side behind what the reader chose."""
        if key == "same":
            return "same"
        return "candidate" if (key == "first") is self.is_swapped else "primary"


def blinded(hunk: Hunk, secret: bytes, who: str) -> Blind:
    """The hunk in an order that only the holder of the secret can know, new for each reader."""
    mixed = hmac.digest(secret, f"{who}\0{hunk.digest}".encode("utf-8", "replace"), "sha256")
    return Blind(hunk, is_swapped=bool(mixed[0] & 1))


def hunk_of(
    comparison: Comparison, primary: Outputs | None, candidate: Outputs | None, text: Text
) -> Hunk | None:
    """The recording's one hunk for a text, drawn by its run's number; None where it has none.

    One for each recording: several of one recording are not independent. Of words it
    is one of the turns that the comparison keeps, its worst ones.
    """
    found = list(_hunks(comparison, primary, candidate, text))
    if not found:
        return None
    drawn = hashlib.sha256(f"{text}\0{comparison.run_id}".encode()).digest()
    return found[int.from_bytes(drawn[:8], "big") % len(found)]


def _hunks(
    comparison: Comparison, primary: Outputs | None, candidate: Outputs | None, text: Text
) -> Iterator[Hunk]:
    if text == "words":
        for turn in comparison.turns:
            if any(mark != "equal" for mark, _ in turn.diff):
                minutes, seconds = divmod(int(turn.at_s), 60)
                head = f"{minutes:02}:{seconds:02} {turn.speaker_name}".rstrip()
                sides = _of_turn(turn, "insert"), _of_turn(turn, "delete")
                yield Hunk(comparison.recording, comparison.run_id, text, head, *sides)
    elif primary is not None and candidate is not None:
        texts = _text_of(primary, text), _text_of(candidate, text)
        if texts[0] != texts[1]:
            sides = _of_texts(*texts)
            name = text.replace("_", " ")
            yield Hunk(comparison.recording, comparison.run_id, text, name, *sides)


def _of_turn(turn: Turn, other: str) -> Pieces:
    """One side of a word diff: all but what the other side has alone."""
    return tuple(Piece(text, mark != "equal") for mark, text in turn.diff if mark != other)


def _text_of(outputs: Outputs, text: Text) -> str:
    if text == "topics":
        return "\n".join(map(_topic, outputs.topics))
    return str(getattr(outputs, text) or "")


def _topic(topic: Topic) -> str:
    minutes, seconds = divmod(int(topic.timestamp), 60)
    return f"{minutes:02}:{seconds:02} {topic.title}: {topic.summary}"


def _of_texts(primary: str, candidate: str) -> tuple[Pieces, Pieces]:
    """Both texts in pieces, by the words that they share."""
    words = primary.split(), candidate.split()
    sides: tuple[list[Piece], list[Piece]] = ([], [])
    for tag, a, b, c, d in SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        for side, found in zip(sides, (words[0][a:b], words[1][c:d]), strict=True):
            if found:
                side.append(Piece(" ".join(found), tag != "equal"))
    return tuple(sides[0]), tuple(sides[1])

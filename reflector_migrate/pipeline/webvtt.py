"""Captions as Reflector stores them: byte for byte the same text from the same words.

A new cue starts when the speaker changes, and after a word with a closing mark
once the cue has more than 120 characters. Times are truncated to whole
milliseconds, so that 8.12 may read 00:00:08.119.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from reflector_migrate.errors import TerminalStepError

HEADER = "WEBVTT\n"
LONG_CUE_CHARS = 120
_CLOSING = re.compile(r"[.;:?!…]")


class WordsOutOfOrderError(TerminalStepError):
    """A word starts before the one in front of it; captions cannot be written."""


class Cue(NamedTuple):
    """What one speaker says from start to end, in seconds; text untrimmed."""

    start: float
    end: float
    speaker: int
    text: str


def webvtt_of_topics(topics: Iterable[Mapping[str, Any]]) -> str:
    """The captions of all topics' words; raises WordsOutOfOrderError."""
    words = [word for topic in topics for word in topic.get("words", ())]
    _assert_in_order(words)
    return webvtt_of_words(words)


def webvtt_of_words(words: Sequence[Mapping[str, Any]]) -> str:
    """The captions of words {text, start, end, speaker}, taken in the order given."""
    return "\n".join([HEADER, *map(_block, cues(words))])


def cues(words: Iterable[Mapping[str, Any]]) -> Iterator[Cue]:
    """Words joined to cues, each as long as its speaker and its sentence allow."""
    cue: Cue | None = None
    for word in words:
        if cue is not None and word["speaker"] != cue.speaker:
            yield cue
            cue = None
        if cue is None:  # the word that opens a cue never closes it
            cue = Cue(word["start"], word["end"], word["speaker"], word["text"])
            continue
        cue = cue._replace(end=word["end"], text=cue.text + word["text"])
        if _CLOSING.search(word["text"]) and len(cue.text) > LONG_CUE_CHARS:
            yield cue
            cue = None
    if cue is not None:
        yield cue


@lru_cache(maxsize=1 << 17)  # with each topic a long meeting's captions are written anew
def timestamp(seconds: float) -> str:
    """HH:MM:SS.mmm, truncated, never rounded."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02d}:{minutes:02d}:{int(rest):02d}.{int((seconds % 1) * 1000):03d}"


def _block(cue: Cue) -> str:
    times = f"{timestamp(cue.start)} --> {timestamp(cue.end)}"
    return f"{times}\n<v Speaker{cue.speaker}>{cue.text.strip()}\n"


def _assert_in_order(words: Sequence[Mapping[str, Any]]) -> None:
    for number, (before, after) in enumerate(pairwise(words), start=1):
        if after["start"] < before["start"]:
            raise WordsOutOfOrderError(
                f"word {number} starts at {after['start']} s, before the one in front of it "
                f"({before['start']} s)"
            )

"""The texts a summary is made from and made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from reflector_migrate.pipeline.topics import Word, text_of


class Section(NamedTuple):
    """What the summary says on one subject."""

    subject: str
    paragraph: str


def names_of(participants: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Names by speaker."""
    return {p["speaker"]: p["name"] for p in participants if p.get("speaker") is not None}


def spoken(words: Sequence[Word], names: Mapping[int, str]) -> str:
    """The meeting as lines `Name: text`, one a turn."""
    turns = groupby(words, key=lambda word: int(word["speaker"]))
    return "\n".join(
        f"{names.get(speaker, f'Speaker {speaker}')}: {text_of(list(turn)).strip()}"
        for speaker, turn in turns
    )


def markdown(recap: str, sections: Sequence[Section]) -> str:
    """The long summary; without subjects the recap alone."""
    lines = ["# Quick recap", "", recap, ""]
    if sections:
        lines += ["# Summary", ""]
    for section in sections:
        lines += [f"**{section.subject}**", section.paragraph, ""]
    return "\n".join(lines)

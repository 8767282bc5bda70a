"""What the processors take and give."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Word:
    """One word, its times in seconds."""

    text: str
    start: float
    end: float
    speaker: int = 0


@dataclass
class Transcript:
    """Words, and perhaps their translation."""

    words: list[Word]
    translation: str | None = None

    @property
    def text(self) -> str:
        """The words with nothing between them."""
        return "".join(word.text for word in self.words)


@dataclass
class TitleSummary:
    """One topic."""

    title: str
    summary: str
    timestamp: float
    duration: float
    transcript: Transcript


@dataclass
class FinalTitle:
    """The meeting's title."""

    title: str


@dataclass
class FinalLongSummary:
    """The long summary."""

    long_summary: str


@dataclass
class FinalShortSummary:
    """The short summary."""

    short_summary: str

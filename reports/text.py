"""Text that others wrote, on its way to a terminal or a page: nothing in it can act."""

from __future__ import annotations

import unicodedata

LONGEST = 600
"""Letters of one piece of text that a page shows; the rest is counted, not shown."""

_JOINERS = {"‍", "‌"}  # scripts and emoji need these two
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: str) -> str:
    """The text on one line, with control and bidirectional characters written out."""
    return printable(text).replace("\n", " ").replace("\t", " ")


def printable(text: str) -> str:
    """The text, lines and tabs included, with all other characters that act written out."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    is_plain = unicodedata.category(character) not in _UNSEEN
    if is_plain or character in _JOINERS or character in "\n\t":
        return character
    return f"\\u{ord(character):04x}"


def clipped(text: str, longest: int = LONGEST) -> str:
    """The visible text, at most `longest` letters of it, and how many more there are."""
    if len(text) <= longest:
        return visible(text)
    return f"{visible(text[:longest])}… (+{len(text) - longest} letters)"

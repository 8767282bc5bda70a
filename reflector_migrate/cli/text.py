"""Text on its way to a terminal: nothing in it can move the cursor or speak markup."""

from __future__ import annotations

import unicodedata

_KEPT = {"\n", "\t"}


def printable(text: str) -> str:
    """The text with control and bidirectional-override characters made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}:
        return character
    if character in {"‍", "‌"}:  # joiners that scripts and emoji need
        return character
    return f"\\u{ord(character):04x}"

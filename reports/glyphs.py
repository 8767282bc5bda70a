"""How a verdict looks: a glyph and a word, so that neither colour nor font is needed."""

from __future__ import annotations

from reflector_migrate.model import Verdict

GLYPHS = {
    Verdict.MATCHED: ("✓", "match"),
    Verdict.WITHIN_NOISE: ("✓", "within noise"),
    Verdict.WAIVED: ("✓", "waived"),
    Verdict.DIVERGED: ("✗", "diverged"),
    Verdict.INCONCLUSIVE: ("?", "inconclusive"),
    Verdict.ERRORED: ("!", "error"),
}
ASCII = {
    "✓": "+", "✗": "x", "∅": "0", "▒": ".", "█": "#", "·": "-", "≤": "<", "≥": ">", "→": ">",
    "…": "~", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " ",
}  # fmt: skip
STYLES = {
    Verdict.MATCHED: "green",
    Verdict.WITHIN_NOISE: "green",
    Verdict.WAIVED: "cyan",
    Verdict.DIVERGED: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERRORED: "bold magenta",
}


def glyph_word(verdict: Verdict) -> str:
    """`✗ diverged`."""
    return " ".join(GLYPHS[verdict])


def to_ascii(text: str) -> str:
    """The same lines for a terminal without these glyphs; letters it lacks are written out."""
    plain = "".join(ASCII.get(character, character) for character in text)
    return plain.encode("ascii", "backslashreplace").decode("ascii")

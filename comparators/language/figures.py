"""Languages of which figures, dates in figures, names and negations are read, and nothing else.

Each is a file in `data`. Numbers in words are not read: `unread` finds them, and where two texts
differ in them, nothing is concluded of their figures.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from tomllib import loads
from typing import Any

FOLDER = files("comparators.language") / "data"
READ_IN_FULL = frozenset({"en", "de"})
LANGUAGES = (
    frozenset(
        file.name.removesuffix(".toml") for file in FOLDER.iterdir() if file.name.endswith(".toml")
    )
    - READ_IN_FULL
)
"""Those with a file that are not read in full."""
_COMMA_NUMBER = re.compile(
    r"(?<![\d.,])\d{1,3}(?:[. \u00a0\u2009\u202f]\d{3})+(?:,\d+)?(?![\d.,]\d)"
    r"|(?<![\d.,])\d+,\d+(?![\d.,]\d)"
)
_CLOCK_OR_DATE = re.compile(r"\d{1,2}:\d{2}|\d{4}-\d{2}-\d{2}")
_GROUPING = re.compile("[. \u00a0\u2009\u202f]")


@dataclass(frozen=True, slots=True)
class Figures:
    """How a language writes figures and times, and what its other spellings are read as.

    is_negated_before: what is negated stands before the negation.
    """

    name: str
    has_decimal_comma: bool
    is_unspaced: bool
    is_negated_before: bool
    time: re.Pattern[str]
    number_words: re.Pattern[str]
    spelt: tuple[tuple[re.Pattern[str], str], ...]


@lru_cache
def data_of(language: str) -> Mapping[str, Any]:
    """A language's file. Raises FileNotFoundError for one without."""
    return loads((FOLDER / f"{language}.toml").read_text("utf-8"))


@lru_cache
def figures_of(language: str) -> Figures | None:
    """What is known of the language's figures; None for one that is read in full, or not at all."""
    if language not in LANGUAGES:
        return None
    data = data_of(language)
    table = data["figures"]
    words = table["number_words"]
    return Figures(
        name=data["name"],
        has_decimal_comma=table["decimal_comma"],
        is_unspaced=table["is_unspaced"],
        is_negated_before=table["is_negated_before"],
        time=re.compile(table["time"], re.I),
        number_words=re.compile(words if table["is_unspaced"] else rf"(?<!\w)(?:{words})(?!\w)"),
        spelt=tuple((re.compile(a, re.I), b) for a, b in data["spelt"].items()),
    )


def written_out(text: str, figures: Figures) -> str:
    """The text with the language's spellings replaced, and figures as English has them."""
    if figures.is_unspaced:
        text = _CLOCK_OR_DATE.sub(r" \g<0> ", unicodedata.normalize("NFKC", text))
    for pattern, spelling in figures.spelt:
        text = pattern.sub(spelling, text)
    return _COMMA_NUMBER.sub(_with_point, text) if figures.has_decimal_comma else text


def _with_point(match: re.Match[str]) -> str:
    return _GROUPING.sub("", match.group()).replace(",", ".")


def unread(text: str, language: str) -> Counter[str]:
    """Numbers in words, which are not read; but for a scale behind figures: `3 millions`."""
    figures = figures_of(language)
    if figures is None:
        return Counter()
    is_unspaced = figures.is_unspaced
    text = unicodedata.normalize("NFKC", text) if is_unspaced else written_out(text, figures)
    text = text.casefold()
    found = figures.number_words.finditer(text)
    return Counter(m.group() for m in found if not text[: m.start()].rstrip()[-1:].isdigit())

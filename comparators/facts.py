"""Key facts of a text: numbers, dates, times, money, participants, negations.

A fact is (kind, canonical value), so that `Friday`, `ten percent` and `10 %` are
compared by what they say. Repeating a fact does not make it two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from comparators.lexicon import LEXICONS, Lexicon, word_set
from comparators.normalise import base_language, normalise

LANGUAGES = frozenset(LEXICONS)
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_CLOCK = re.compile(
    r"\b([01]?\d|2[0-3])(?:[:.]([0-5]\d))?\s*(a\.?m\b\.?|p\.?m\b\.?|uhr\b)|\b([01]?\d|2[0-3]):([0-5]\d)\b",
    re.IGNORECASE,
)
_DOTTED_DATE = re.compile(r"\b([0-3]?\d)\.([01]?\d)\.(\d{4}|\d{2}|(?!\d))")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?:st|nd|rd|th)?$")
_CURRENCIES = frozenset({"dollar", "euro", "pound", "cent"})


_BEFORE_MONTHS = word_set(
    "in of by until to from since next last this early late mid through before after"
)


class Fact(NamedTuple):
    """kind: number | percent | money | date | time | participant | negation."""

    kind: str
    value: str


def extract(text: str, language: str | None, names: Iterable[str] = ()) -> frozenset[Fact]:
    """Every fact of `text`; `names` are the participants to look for.

    Raises KeyError for a language without a lexicon (see LANGUAGES).
    """
    base = base_language(language) or ""
    lexicon = LEXICONS[base]
    rest, found = _clocks_and_calendars(text)
    tokens = normalise(rest, base)
    found |= _numbers(tokens, lexicon) | _dates(tokens, lexicon) | _negations(tokens, lexicon)
    return frozenset(found | _participants(tokens, names, base))


def _clocks_and_calendars(text: str) -> tuple[str, set[Fact]]:
    """Times and written dates, and the text without them."""
    found: set[Fact] = set()

    def take(kind: str, value: str) -> str:
        found.add(Fact(kind, value))
        return " "

    text = _ISO_DATE.sub(lambda m: take("date", m.group()), text)
    text = _DOTTED_DATE.sub(lambda m: take("date", _dotted(m)), text)
    text = _CLOCK.sub(lambda m: take("time", _clock(m)), text)
    return text, found


def _dotted(match: re.Match[str]) -> str:
    """3.4.2025 as --04-03 with its year in front where it has one."""
    year = match.group(3)
    return f"{'20' + year if len(year) == 2 else year}-{int(match[2]):02}-{int(match[1]):02}"


def _clock(match: re.Match[str]) -> str:
    """HH:MM on 24 hours."""
    hour, minute = int(match.group(1) or match.group(4)), match.group(2) or match.group(5) or "00"
    half = (match.group(3) or "").lower().replace(".", "").strip()
    if half == "pm" and hour < 12:
        hour += 12
    elif half == "am" and hour == 12:
        hour = 0
    return f"{hour:02}:{minute}"


def _numbers(tokens: Sequence[str], lexicon: Lexicon) -> set[Fact]:
    """Numbers with what they count, where that is per cent or money."""
    found = set()
    for index, token in enumerate(tokens):
        match = _NUMBER.fullmatch(token)
        if match is None:
            if token in lexicon.ordinals:
                found.add(Fact("number", lexicon.ordinals[token]))
            continue
        after = index + 1
        scale = lexicon.scales.get(_at(tokens, after), 1)
        after += scale != 1
        value = _plain(float(match.group(1)) * scale)
        unit = lexicon.units.get(_at(tokens, after)) or _currency_before(tokens, index, lexicon)
        found.add(_counted(value, unit))
    return found


def _at(tokens: Sequence[str], index: int) -> str:
    return tokens[index] if 0 <= index < len(tokens) else ""


def _currency_before(tokens: Sequence[str], index: int, lexicon: Lexicon) -> str | None:
    """`$ 5` has its currency in front; `3 euro 5` does not."""
    unit = lexicon.units.get(_at(tokens, index - 1))
    taken = _NUMBER.fullmatch(_at(tokens, index - 2))
    return unit if unit in _CURRENCIES and not taken else None


def _counted(value: str, unit: str | None) -> Fact:
    if unit == "percent":
        return Fact("percent", value)
    return Fact("money", f"{value} {unit}") if unit else Fact("number", value)


def _plain(value: float) -> str:
    """12.0 is 12."""
    return str(int(value)) if value.is_integer() else f"{value:.6f}".rstrip("0")


def _dates(tokens: Sequence[str], lexicon: Lexicon) -> set[Fact]:
    """Weekdays, months, today and the like; `may` and `march` only as months."""
    found = set()
    for index, token in enumerate(tokens):
        name = lexicon.dates.get(token)
        if name is None:
            continue
        near = _at(tokens, index - 1), _at(tokens, index + 1)
        if token in {"may", "march"} and not _is_month(*near):
            continue
        found.add(Fact("date", name))
    return found


def _is_month(before: str, after: str) -> bool:
    """Beside a number or after a preposition a month is meant."""
    numbered = _NUMBER.fullmatch(before) or _NUMBER.fullmatch(after)
    return bool(numbered) or before in _BEFORE_MONTHS


def _negations(tokens: Sequence[str], lexicon: Lexicon) -> set[Fact]:
    """Each negation with the stem of the word it negates."""
    return {
        Fact("negation", _negated(tokens, index + 1, lexicon))
        for index, token in enumerate(tokens)
        if token in lexicon.negations
    }


def _negated(tokens: Sequence[str], start: int, lexicon: Lexicon) -> str:
    """The next word of content, six letters of it; none within four words is ''."""
    for token in tokens[start : start + 4]:
        if token not in lexicon.skipped and token not in lexicon.negations:
            return token[:6]
    return ""


def _participants(tokens: Sequence[str], names: Iterable[str], language: str) -> set[Fact]:
    """Participants named in full or by their first name."""
    present = set(tokens)
    found = set()
    for name in names:
        parts = normalise(name, language)
        if parts and not name.startswith("Speaker ") and parts[0] in present:
            found.add(Fact("participant", " ".join(parts)))
    return found

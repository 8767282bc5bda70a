"""Abbreviations and signs that facts are read by, written out before a text is cut into words.

Words as compared keep their own spelling (normalise.py); here only what a text states counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_DOLLARS = {"us": "usd", "ca": "cad", "c": "cad", "au": "aud", "a": "aud", "nz": "nzd",
            "hk": "hkd", "sg": "sgd", "american": "usd", "canadian": "cad", "australian": "aud",
            "new zealand": "nzd", "hong kong": "hkd", "singapore": "sgd"}  # fmt: skip
_DOLLAR_SIGN = re.compile(r"\b(US|U\.S\.|CA?|AU?|NZ|HK|SG) ?\$")
_DOLLARS_OF = re.compile(
    r"\b(US|U\.S\.|(?<=illion )us|(?<=usand )us|(?<=undred )us|(?<=\d )us|American|Canadian"
    r"|Australian|New Zealand|Hong Kong|Singapore)[ -]dollars?\b"
)
_CELSIUS = re.compile(r"\u2103|\u00b0 ?C\b|\bdegrees? Celsius\b|\bGrad Celsius\b", re.I)
_FAHRENHEIT = re.compile(r"\u2109|\u00b0 ?F\b|\bdegrees? Fahrenheit\b|\bGrad Fahrenheit\b", re.I)
_KMH = re.compile(
    r"\b(?:km/h|kph|(?:km|kilomet(?:er|re)s?) (?:per|an) hour|(?:km|kilometern?) pro stunde)\b",
    re.I,
)
_MPH = re.compile(r"\b(?:mph|mi(?:le)?s? (?:per|an) hour)\b", re.I)
_HALF_OF_DAY = re.compile(r"\.(?<=\b[aApP]\.) ?[mM]\b\.?")
_PER_CENT = re.compile(r"\b(?:per|pro) cent\b", re.I)
_NUMBER_SIGN = re.compile(r"\b(?:no|nos|nr)\. ?(?=\d)", re.I)
_RARE_APOSTROPHES = dict.fromkeys(map(ord, "\u05f3\u055a\uff40\u1fbd\u1fbf\u07f4\u2034\u2037"), "'")
"""Of other scripts; those of our own are dropped from words already."""


def _dollar(match: re.Match[str]) -> str:
    return f" {_DOLLARS[match[1].lower().replace('.', '')]} "


Spelling = str | Callable[[re.Match[str]], str]
_SPELLINGS: tuple[tuple[tuple[str, ...], re.Pattern[str], Spelling], ...] = (
    (("$",), _DOLLAR_SIGN, _dollar),
    (("dollar",), _DOLLARS_OF, _dollar),
    (("\u00b0", "\u2103", "celsius"), _CELSIUS, " celsius "),
    (("\u00b0", "\u2109", "fahrenheit"), _FAHRENHEIT, " fahrenheit "),
    (("/h", "kph", "hour", "stunde"), _KMH, "kmh"),
    (("mph", "mi"), _MPH, "mph"),
    (("no", "nr"), _NUMBER_SIGN, "number "),
    ((".",), _HALF_OF_DAY, "m "),
    (("cent",), _PER_CENT, "percent"),
)  # fmt: skip
"""What must stand in the text (lower case) before it is searched, the pattern, and its spelling."""


def spelt(text: str) -> str:
    """`a.m.` is `am`, `per cent` is `percent`, `C$` is `cad`, `no. 5` denies nothing."""
    if not text.isascii():
        text = text.translate(_RARE_APOSTROPHES)
    lowered = text.lower()
    for marks, pattern, spelling in _SPELLINGS:
        if any(mark in lowered for mark in marks):
            text = pattern.sub(spelling, text)
    return text

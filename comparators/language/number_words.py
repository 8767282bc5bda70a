"""What one number word is worth, English or German: `twenty`, `dreiundzwanzig`, `million`."""

from __future__ import annotations

from functools import lru_cache

from comparators.language.lexicon import word_list

_EN_UNITS = word_list(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_EN_TENS = word_list("twenty thirty forty fifty sixty seventy eighty ninety")
_DE_UNITS = word_list(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn "
    "fünfzehn sechzehn siebzehn achtzehn neunzehn"
)
_DE_TENS = word_list("zwanzig dreissig vierzig fünfzig sechzig siebzig achtzig neunzig")

_SMALL: dict[str, dict[str, int]] = {
    "en": {w: i for i, w in enumerate(_EN_UNITS)}
    | {w: 10 * i for i, w in enumerate(_EN_TENS, start=2)},
    "de": {w: i for i, w in enumerate(_DE_UNITS)}
    | {w: 10 * i for i, w in enumerate(_DE_TENS, start=2)},
}
SCALES: dict[str, dict[str, int]] = {
    "en": {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9},
    "de": {
        "hundert": 100,
        "tausend": 1000,
        "million": 10**6,
        "millionen": 10**6,
        "milliarde": 10**9,
        "milliarden": 10**9,
    },
}


@lru_cache(maxsize=1 << 16)
def parse_word(word: str, language: str) -> int | None:
    """One number word's value; German compounds (dreiundzwanzig, zweihundertfünf) too."""
    small = _SMALL[language].get(word)
    if small is not None:
        return small
    if word in SCALES[language]:
        return SCALES[language][word]
    if language == "de" and len(word) > 6:
        return _german_compound(word.replace("ß", "ss"))
    return None


def _german_compound(word: str) -> int | None:
    """Split at tausend, hundert and `und`; None where a part is not a number."""
    if word in _SMALL["de"]:
        return _SMALL["de"][word]
    for scale in ("tausend", "hundert"):
        head, found, tail = word.partition(scale)
        if found:
            parts = _german_part(head, 1), _german_part(tail, 0)
            if parts[0] is None or parts[1] is None:
                return None
            return parts[0] * SCALES["de"][scale] + parts[1]
    unit, found, tens = word.partition("und")
    low, high = _german_unit(unit), _SMALL["de"].get(tens)
    if found and low is not None and high is not None and low < 10 and high >= 20:
        return low + high
    return None


def _german_part(part: str, empty: int) -> int | None:
    """A compound's part; an absent one counts `empty`, `und` in front is dropped."""
    part = part.removeprefix("und")
    if not part:
        return empty
    unit = _german_unit(part)
    return unit if unit is not None else _german_compound(part)


def _german_unit(word: str) -> int | None:
    """`ein` inside a compound is 1."""
    return 1 if word == "ein" else _SMALL["de"].get(word)

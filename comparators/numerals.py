"""Number words as digits, so that `twenty-three` equals `23`; English and German.

Single words that are seldom numbers in speech (one, a, eins, ein) stay words
unless another number word stands beside them.
"""

from __future__ import annotations

from functools import lru_cache

from comparators.lexicon import word_list

LANGUAGES = frozenset({"en", "de"})

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
_SCALES: dict[str, dict[str, int]] = {
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
_POINTS = frozenset({"point", "komma"})
_AMBIGUOUS = frozenset({"one", "eins", "null", "acht", "million", "millionen"})


def join_numbers(tokens: list[tuple[str, int]], language: str) -> list[tuple[str, int]]:
    """Each run of number words becomes one token of digits at the run's first position."""
    numeric = {token for token in {t for t, _ in tokens} if parse_word(token, language) is not None}
    if not numeric:
        return tokens
    out: list[tuple[str, int]] = []
    index = 0
    while index < len(tokens):
        if tokens[index][0] not in numeric:
            out.append(tokens[index])
            index += 1
            continue
        end = _run_end(tokens, index, language)
        words = [token for token, _ in tokens[index:end]]
        value = _value(words, language)
        if value is None or (len(words) == 1 and words[0] in _AMBIGUOUS):
            out.append(tokens[index])
            index += 1
        else:
            out.append((str(value), tokens[index][1]))
            index = end
    return _with_decimals(out)


def _with_decimals(tokens: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """`3 point 5` is 3.5, as is `3 Komma 5`."""
    out: list[tuple[str, int]] = []
    for token, place in tokens:
        is_decimal = len(out) > 1 and out[-1][0] in _POINTS and token.isdigit()
        if is_decimal and out[-2][0].isdigit():
            whole = out[-2]
            out[-2:] = [(f"{whole[0]}.{token}", whole[1])]
        else:
            out.append((token, place))
    return out


def _run_end(tokens: list[tuple[str, int]], start: int, language: str) -> int:
    """Where the longest run of number words that still makes one number ends."""
    end = start + 1
    while end < len(tokens) and _continues(tokens[end - 1][0], tokens[end][0], language):
        end += 1
    return end


def _continues(before: str, word: str, language: str) -> bool:
    """Whether `word` goes on with the number `before` belongs to: no `two three` -> 23."""
    value, previous = parse_word(word, language), parse_word(before, language)
    if value is None or previous is None:
        return False
    if word in _SCALES[language]:
        return True
    if before in _SCALES[language]:
        return value < previous
    return language == "en" and 20 <= previous < 100 and previous % 10 == 0 and 0 < value < 10


def _value(words: list[str], language: str) -> int | None:
    """`two hundred forty thousand five` -> 240005; None when the words make no number."""
    total = current = 0
    for word in words:
        scale = _SCALES[language].get(word)
        value = parse_word(word, language)
        if value is None:
            return None
        if scale is None:
            current += value
        elif scale == 100:
            current = max(current, 1) * 100
        else:
            total, current = total + max(current, 1) * scale, 0
    return total + current


@lru_cache(maxsize=1 << 16)
def parse_word(word: str, language: str) -> int | None:
    """One number word's value; German compounds (dreiundzwanzig, zweihundertfünf) too."""
    small = _SMALL[language].get(word)
    if small is not None:
        return small
    if word in _SCALES[language]:
        return _SCALES[language][word]
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
            return parts[0] * _SCALES["de"][scale] + parts[1]
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

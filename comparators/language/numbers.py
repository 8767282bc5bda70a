"""Number words as digits, so that `twenty-three` equals `23`; English and German.

Single words that are seldom numbers in speech (one, a, eins, ein) stay words
unless another number word stands beside them. `with_halves` goes further, for facts:
`two and a half`, `half a million`, `anderthalb`; `one percent`, `acht Uhr`, `ein Euro`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal

from comparators.language.lexicon import Lexicon
from comparators.language.number_words import SCALES, parse_word
from comparators.language.token_stream import Span, TokenStream

LANGUAGES = frozenset({"en", "de"})

_AND = {"en": "and", "de": "und"}
_ENDLESS = 10**12
_FIGURES = re.compile(r"\d{1,12}(?:\.\d{1,12})?")
_POINTS = frozenset({"point", "komma"})
_AMBIGUOUS = frozenset(
    {"one", "eins", "null", "acht", "million", "millionen", "billion", "milliarde", "milliarden"}
)
_PARTS = {
    ("half", "a"): "0.5", ("half", "an"): "0.5", ("half",): "0.5",
    ("quarter", "of", "an"): "0.25", ("3", "quarters", "of", "an"): "0.75",
    ("quarter", "of", "a"): "0.25", ("3", "quarters", "of", "a"): "0.75",
}  # fmt: skip
"""In front of what is counted: `half a million`, `three quarters of an hour`."""
_LONE = frozenset({"million", "billion", "milliarde", "dozen", "dutzend"})


def join_numbers(text: TokenStream, language: str) -> TokenStream:
    """Each run of number words becomes one token of digits at the run's first place."""
    distinct = set(text.tokens)
    numeric = {token for token in distinct if parse_word(token, language) is not None}
    if not numeric:
        return text
    joined = text.replaced(_numbers(text.tokens, numeric, language))
    if not _POINTS.isdisjoint(distinct):
        joined = joined.replaced(_decimals(joined.tokens))
    return joined.replaced(_scaled(joined.tokens, language))


def _numbers(tokens: list[str], numeric: Collection[str], language: str) -> Iterator[Span]:
    """Runs of number words; a lone word that seldom is a number stays one."""
    words, done = _Words(tokens, language), 0
    for index in [index for index, token in enumerate(tokens) if token in numeric]:
        if index >= done:  # else part of the number before it
            if _is_scaling(tokens, index, done, language):
                continue
            is_decimal = _is_decimal(tokens, index)
            value, done = words.small(index) if is_decimal else words.number(index)
            is_whole = tokens[done : done + 1] and tokens[done] in _POINTS
            if done > index + 1 or is_decimal or is_whole or tokens[index] not in _AMBIGUOUS:
                yield index, done, str(value)


def _is_scaling(tokens: list[str], index: int, done: int, language: str) -> bool:
    """Whether a scale stands behind figures, or behind the decimals just read: `12 thousand`."""
    if SCALES[language].get(tokens[index], 0) < 1000 or index == 0:
        return False
    return tokens[index - 1][0].isdigit() or (done == index and _is_decimal(tokens, index - 1))


def _is_decimal(tokens: list[str], index: int) -> bool:
    """Whether a point stands in front, and something in front of that."""
    return index >= 2 and tokens[index - 1] in _POINTS


def _scaled(tokens: list[str], language: str) -> Iterator[Span]:
    """`12 thousand` is 12000, `3.5 million` 3500000; nothing where no whole number comes out."""
    for index, token in enumerate(tokens[1:], 1):
        scale = SCALES[language].get(token, 0)
        if scale >= 1000 and _FIGURES.fullmatch(tokens[index - 1]):
            value = Decimal(tokens[index - 1]) * scale
            if value == value.to_integral_value():
                yield index - 1, index + 1, str(int(value))


def _decimals(tokens: list[str]) -> Iterator[Span]:
    """`3 point 5` is 3.5, as is `3 Komma 5`; `3 point 1 4` is 3.14."""
    done = 0
    for point in [index for index, token in enumerate(tokens) if token in _POINTS]:
        around = tokens[max(point - 1, done) : point], tokens[point + 1 : point + 2]
        if all(number and number[0].isdigit() for number in around):
            end = point + 2
            while len(tokens[end - 1]) == 1 and tokens[end : end + 1] and _is_digit(tokens[end]):
                end += 1
            done = end
            yield point - 1, done, f"{around[0][0]}.{''.join(tokens[point + 1 : end])}"


def _is_digit(token: str) -> bool:
    return len(token) == 1 and token.isdigit()


class _Words:
    """Tokens read as numbers: groups below a thousand, each before a smaller scale than the last.

    So `one hundred, two hundred` are two numbers, and no run grows without end.
    """

    def __init__(self, tokens: list[str], language: str) -> None:
        self._tokens = tokens
        self._language = language

    def number(self, start: int) -> tuple[int, int]:
        """(value, where it ends) of the longest number that begins at a number word."""
        total, limit, end = 0, _ENDLESS, start
        while True:
            begin = end
            if end > start and self._at(end) == _AND[self._language]:
                begin += 1
            group, after = self._group(begin)
            scale = self._scale(after)
            if begin == start and self._scale(start):
                group, after, scale = 1, start, self._scale(start)
            if group is None or not self._fits(group, scale, limit, is_joined=begin > end):
                return total, end
            if not scale:
                return total + group, after
            total, limit, end = total + group * scale, scale, after + 1

    def small(self, start: int) -> tuple[int, int]:
        """(value, where it ends) of one number word below a hundred, as decimals are said."""
        value, end = self._small(start)
        return (value or 0, end) if end > start else self.number(start)

    @staticmethod
    def _fits(group: int, scale: int, limit: int, *, is_joined: bool) -> bool:
        """Whether a group goes on with a number; behind `and` only a last one under 100 does."""
        if is_joined:
            return group < 100 and not scale
        return (scale or group) < limit

    def _group(self, start: int) -> tuple[int | None, int]:
        """`two hundred and forty`, `fifteen hundred`, `hundred`, `ninety five`."""
        value, end = self._small(start)
        if self._value(start) == 100 and self._is_scale(start):
            value, end = 1, start
        if value is None or value >= 100 or self._value(end) != 100 or not self._is_scale(end):
            return value, end
        rest, after = self._small(end + 1 + (self._at(end + 1) == _AND[self._language]))
        is_next = self._value(after) == 100 and self._is_scale(after)
        if rest is None or not 0 < rest < 100 or is_next:
            return value * 100, end + 1
        return value * 100 + rest, after

    def _small(self, start: int) -> tuple[int | None, int]:
        """A word other than a scale; in English a ten and its unit."""
        value = self._value(start)
        if value is None or self._is_scale(start):
            return None, start
        unit = self._value(start + 1)
        is_ten = self._language == "en" and 20 <= value < 100 and value % 10 == 0
        if is_ten and unit is not None and 0 < unit < 10:
            return value + unit, start + 2
        return value, start + 1

    def _scale(self, place: int) -> int:
        """A scale from a thousand on; 0 of any other word."""
        scale = SCALES[self._language].get(self._at(place), 0)
        return scale if scale >= 1000 else 0

    def _is_scale(self, place: int) -> bool:
        return self._at(place) in SCALES[self._language]

    def _value(self, place: int) -> int | None:
        return parse_word(self._at(place), self._language)

    def _at(self, place: int) -> str:
        return self._tokens[place] if place < len(self._tokens) else ""


def with_halves(text: TokenStream, lexicon: Lexicon) -> TokenStream:
    """The tokens with such words replaced by one number, or by one and its scale."""
    if lexicon.language not in LANGUAGES:
        return text
    telling = {word for word in set(text.tokens) if _may_begin_half(word, lexicon)}
    return text.replaced(_with_halves(text.tokens, telling, lexicon)) if telling else text


def _with_halves(words: list[str], telling: Collection[str], lexicon: Lexicon) -> Iterator[Span]:
    """What stands for a number, and its figures."""
    done = 0
    for index in [index for index, word in enumerate(words) if word in telling]:
        if index >= done:  # else part of the half before it
            value, taken = _half(words, index, lexicon)
            value, done = value or _lone(words, index, lexicon), index + taken
            if value:
                yield index, done, value


def _may_begin_half(word: str, lexicon: Lexicon) -> bool:
    """Whether a half or a lone number may begin with the word."""
    return (
        word.isdigit()
        or word in {"half", "quarter"}
        or word in lexicon.ones
        or word.startswith("anderthalb")
        or word.endswith("einhalb")
        or parse_word(word, lexicon.language) is not None
    )


def _half(words: Sequence[str], index: int, lexicon: Lexicon) -> tuple[str, int]:
    """(figures, words they stand for); nothing without a half."""
    word, ahead = words[index], tuple(words[index + 1 : index + 4])
    if lexicon.language == "de":
        return _german_half(word, ahead, lexicon)
    if ahead == ("and", "a", "half") and (word.isdigit() or word == "one"):
        return f"{word.replace('one', '1')}.5", 4
    for said, value in _PARTS.items():
        n = len(said)
        counted = tuple(words[index + n : index + n + 1])
        if said == (word, *ahead)[:n] and _is_counted(counted, lexicon):
            return value, n
    return "", 1


def _german_half(word: str, ahead: tuple[str, ...], lexicon: Lexicon) -> tuple[str, int]:
    if word.startswith("anderthalb"):
        return "1.5", 1
    if word.endswith("einhalb"):
        whole = word.removesuffix("einhalb")
        value = 1 if whole == "ein" else parse_word(whole, "de")
        return (f"{value}.5", 1) if value else ("", 1)
    if word in lexicon.ones and ahead[:1] and ahead[0].startswith("halbe"):
        return ("0.5", 2) if _is_counted(ahead[1:2], lexicon) else ("", 1)
    return "", 1


def _lone(words: Sequence[str], index: int, lexicon: Lexicon) -> str:
    """A number word that is one only in front of a unit, a clock or a month."""
    word, after = words[index], words[index + 1] if index + 1 < len(words) else ""
    is_clock = lexicon.clock.get(after) in {"am", "pm", "clock"}
    is_half = index > 0 and lexicon.clock.get(words[index - 1]) == "half"
    is_unit = after in lexicon.units or after in _LONE
    if not (is_unit or is_clock or is_half or after in lexicon.months):
        return ""
    value = 1 if word in lexicon.ones else parse_word(word, lexicon.language)
    return str(value) if value is not None and value < 100 else ""


def _is_counted(words: tuple[str, ...], lexicon: Lexicon) -> bool:
    """Whether a scale, a span of time or a unit stands there."""
    counted = (lexicon.scales, lexicon.spans, lexicon.units, lexicon.measures)
    return bool(words) and any(words[0] in table for table in counted)

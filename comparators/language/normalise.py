"""Text as it is compared: words/5, applied alike to both sides.

Unicode NFKC, case folded, apostrophes unified and dropped, punctuation removed,
symbols of money and per cent written out, number words as digits (en, de),
blanks within numbers closed, scripts without spaces one character a token.
words/2 closed those blanks, kept combining marks, wrote out more currencies; words/3
reads `two hundred and forty` as one number and `one hundred, two hundred` as two. words/4
multiplies figures by their scale (`12 thousand`, `3.5 million`), drops every apostrophe and
invisible characters, and writes `%` out in the text's language. words/5 joins no number across
speakers or the end of a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from comparators.language.number_words import parse_word
from comparators.language.numbers import LANGUAGES as NUMERAL_LANGUAGES
from comparators.language.numbers import join_numbers
from comparators.language.token_stream import TokenStream

NORMALISER = "words/5"
"""Evidence made with another version is never mixed with this one's."""

# Thai, Lao, Myanmar, Khmer, kana, Han: words are not set apart by spaces.
_UNSPACED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
)
_UNSPACED_CHARACTER = re.compile(f"([{_UNSPACED}])")
_APOSTROPHES = (
    "'\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u02c8\u2032\u2035\u0060\u00b4\uff07\ua78c"
)
_INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufe0f\ufeff"
_UNWRITTEN = re.compile(f"[{_APOSTROPHES}{_INVISIBLE}]")
"""Taken out first: compatibility forms make a blank and an accent of some apostrophes."""
_DOT_ABOVE = re.compile("(?<=i)\u0307")  # what is left of a Turkish capital I
_THOUSANDS_EN = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_THOUSANDS_DE = re.compile(r"(?<=\d)\.(?=\d{3}(?!\d))")
_DECIMAL_DE = re.compile(r"(?<=\d),(?=\d)")
# A charset first, then what must stand before it: searched many times faster.
_NARROW_THOUSANDS = re.compile("[\u00a0\u2009\u202f](?<=[0-9].)(?=[0-9]{3}(?![0-9]))")
_NOT_A_WORD = re.compile(r"(?<!\d)\.|\.(?!\d)|[^\w.]|_")
_SYMBOLS = {
    "%": " percent ",
    "$": " dollar ",
    "\u20ac": " euro ",
    "\u00a3": " pound ",
    "\u00a5": " yen ",
    "\u20b9": " rupee ",
    "&": " and ",
}
_SYMBOL = re.compile("[%$&\u20ac\u00a3\u00a5\u20b9]")
_DIGIT = re.compile(r"\d")
STOP = "\n"
"""A token for the end of a sentence, over which no number reaches: `I have twenty. Three go.`"""
_ENDS = frozenset(".!?;")


@lru_cache(maxsize=1 << 17)
def tokens_of(text: str, language: str | None = None) -> tuple[str, ...]:
    """The tokens of one word or text, number words not yet joined.

    A word of nothing but punctuation has none; one with a hyphen has several.
    """
    if text.isascii() and text.isalpha():
        return (text.lower(),)
    text = unicodedata.normalize("NFKC", _UNWRITTEN.sub("", text))
    folded = _DOT_ABOVE.sub("", unicodedata.normalize("NFKC", text.casefold()))
    if _DIGIT.search(folded):
        folded = _plain_digits(folded, language)
    folded = _SYMBOL.sub(lambda symbol: _spelt(symbol.group(), language), folded)
    folded = _UNSPACED_CHARACTER.sub(r" \1 ", folded)
    return tuple(_NOT_A_WORD.sub(_blank, folded).split())


def _spelt(symbol: str, language: str | None) -> str:
    return " prozent " if symbol == "%" and base_language(language) == "de" else _SYMBOLS[symbol]


def _blank(match: re.Match[str]) -> str:
    """A blank; but a combining mark (a Hindi vowel, say) is part of its word."""
    found = match.group()
    return found if unicodedata.category(found)[0] == "M" else " "


def _plain_digits(text: str, language: str | None) -> str:
    """Thousands separators out, the decimal mark a point; German has them the other way."""
    if base_language(language) == "de":
        return _DECIMAL_DE.sub(".", _THOUSANDS_DE.sub("", text))
    return _THOUSANDS_EN.sub("", text)


def base_language(language: str | None) -> str | None:
    """`de-AT` and `de_AT` are `de`; None stays None."""
    return re.split("[-_]", language.lower())[0] if language else None


def words_in(text: str) -> list[str]:
    """The text at its blanks, but for those that only group a number's digits."""
    return _NARROW_THOUSANDS.sub("", text).split()


def parts_of(word: str, language: str | None) -> tuple[str, ...]:
    """A word's tokens, and STOP behind a number that ends a sentence."""
    found = tokens_of(word.strip(), language)
    if not found or word.rstrip()[-1] not in _ENDS:
        return found
    is_number = found[-1][0].isdigit() or has_number_words(found[-1:], language)
    return (*found, STOP) if is_number else found


def has_number_words(tokens: Iterable[str], language: str | None) -> bool:
    """Whether any of them is a number in words: without one, none are joined."""
    base = base_language(language) or "en"
    return base in NUMERAL_LANGUAGES and any(parse_word(t, base) is not None for t in tokens)


def normalise(text: str, language: str | None = None) -> list[str]:
    """All tokens of a text, number words as digits where the language is known."""
    found = [token for word in words_in(text) for token in parts_of(word, language)]
    return with_numbers(TokenStream(found, [0] * len(found)), language).tokens


def with_numbers(text: TokenStream, language: str | None) -> TokenStream:
    """The tokens with runs of number words joined to digits at the first's place; no STOP."""
    base = base_language(language) or "en"
    return join_numbers(text, base).without(STOP) if base in NUMERAL_LANGUAGES else text

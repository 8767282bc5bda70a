"""Halves and lone number words as figures, where the text around them says that they count.

`two and a half`, `half a million`, `anderthalb`; `one percent`, `acht Uhr`, `ein Euro`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from comparators.language.lexicon import Lexicon
from comparators.language.numbers import parse_word
from comparators.language.token_stream import Placed, Span

_LONE = frozenset({"million", "billion", "milliarde", "dozen", "dutzend"})


def with_halves(text: Placed, lexicon: Lexicon) -> Placed:
    """The tokens with such words replaced by one number, or by one and its scale."""
    telling = {word for word in set(text.tokens) if _tells(word, lexicon)}
    return text.replaced(_figures(text.tokens, telling, lexicon)) if telling else text


def _figures(words: list[str], telling: Collection[str], lexicon: Lexicon) -> Iterator[Span]:
    """What stands for a number, and its figures."""
    done = 0
    for index in [index for index, word in enumerate(words) if word in telling]:
        if index >= done:  # else part of the half before it
            value, taken = _half(words, index, lexicon)
            value, done = value or _lone(words, index, lexicon), index + taken
            if value:
                yield index, done, value


def _tells(word: str, lexicon: Lexicon) -> bool:
    """Whether a half or a lone number may begin with the word."""
    return (
        word.isdigit()
        or word == "half"
        or word in lexicon.ones
        or word.startswith("anderthalb")
        or word.endswith("einhalb")
        or parse_word(word, lexicon.language) is not None
    )


def _half(words: Sequence[str], index: int, lexicon: Lexicon) -> tuple[str, int]:
    """(figures, words they stand for); nothing where there is no half."""
    word, ahead = words[index], tuple(words[index + 1 : index + 4])
    if lexicon.language == "de":
        return _german_half(word, ahead, lexicon)
    if word.isdigit() and ahead == ("and", "a", "half"):
        return f"{word}.5", 4
    if word == "half" and ahead[:1] in {("a",), ("an",)} and _is_counted(ahead[1:2], lexicon):
        return "0.5", 2
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
    """Whether a scale or a span of time stands there."""
    return bool(words) and (words[0] in lexicon.scales or words[0] in lexicon.spans)

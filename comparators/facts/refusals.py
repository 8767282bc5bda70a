"""Negations without a `not`: what was decided against, ruled out or rejected."""

from __future__ import annotations

from comparators.facts.token_reader import Fact, Reader
from comparators.language.stems import stem

_REACH = 6
_NEAR = 3


def refusals(reader: Reader) -> set[Fact]:
    """`against postponing`, `rule out postponing`, `postponing it was rejected`, as negations."""
    lexicon = reader.lexicon
    found = set()
    for index in [n for n, token in enumerate(reader.tokens) if token in lexicon.refusals]:
        ahead, behind = reader.sentence(index, _REACH)
        is_denied = any(reader.at(n) in lexicon.negations for n in behind[:_NEAR])
        if not is_denied and (deed := _refused(reader, index, ahead, behind)):
            found.add(Fact("negation", stem(deed, lexicon.language)))
    return found


def _refused(reader: Reader, index: int, ahead: range, behind: range) -> str:
    """The next word, where it is of a deed; of a participle else the first one before."""
    lexicon, token = reader.lexicon, reader.at(index)
    is_rule = token.startswith("rul")
    if is_rule and reader.at(index + 1) != "out":
        return ""
    telling = [n for n in ahead[is_rule:] if reader.at(n) and not is_skipped(reader, n)]
    if token not in lexicon.refused or lexicon.language == "en":
        following = reader.at(telling[0]) if telling else ""
        if following.endswith(lexicon.deeds):
            return following
    if token not in lexicon.refused:
        return ""
    return next((t for n in reversed(behind) if (t := reader.at(n)).endswith(lexicon.deeds)), "")


def is_skipped(reader: Reader, index: int) -> bool:
    """What says when or how often is a fact of its own, wherever the sentence puts it."""
    lexicon, token = reader.lexicon, reader.at(index)
    named = (lexicon.skipped, lexicon.negations, lexicon.days, lexicon.months)
    return any(token in words for words in named) or reader.number(index) is not None

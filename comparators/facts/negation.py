"""Negations of a text, each with the stem of what it negates.

Said by a word (`not`), by a verb whose deed is not done (`failed to deliver`, `missed its
date to deliver`: negative implicatives, Karttunen 1971), or by a decision against it.
Two that cancel each other out (`did not fail to deliver`) are none.
"""

from __future__ import annotations

from comparators.facts.tokens import Fact, Reader
from comparators.language.stems import stem

_REACH, _NEAR = 6, 3
"""Tokens that are looked at ahead and behind, and those right around a word."""


def negations(reader: Reader) -> set[Fact]:
    """One fact for each thing that is negated."""
    found = _refusals(reader)
    lexicon = reader.lexicon
    telling = lexicon.negations | lexicon.negators
    for index in [index for index, token in enumerate(reader.tokens) if token in telling]:
        negated = _by_verb(reader, index) if _is_verb(reader, index) else _by_word(reader, index)
        if negated is not None:
            found.add(Fact("negation", negated))
    return found


def _is_verb(reader: Reader, index: int) -> bool:
    return reader.tokens[index] in reader.lexicon.negators


def _by_word(reader: Reader, index: int) -> str | None:
    """What `not` and its like negate; nothing where they deny a verb that denies a deed."""
    token, after = reader.tokens[index], reader.at(index + 1)
    if after in reader.lexicon.not_only:
        return None
    skipped = 1 if (token, after) == ("no", "one") else 0
    at = _next_of_content(reader, index, skipped)
    if at is None:
        return ""
    return None if _is_verb(reader, at) and _deed(reader, at) else _stem(reader, at)


def _by_verb(reader: Reader, index: int) -> str | None:
    """What was not done, unless that is denied in turn."""
    behind = reader.sentence(index, _NEAR)[1]
    if any(reader.at(n) in reader.lexicon.negations for n in behind):
        return None
    at = _deed(reader, index)
    return None if at is None else _stem(reader, at)


def _deed(reader: Reader, index: int) -> int | None:
    """Where the deed stands: behind its `to`, which follows at once or behind an occasion.

    `declined to 5 percent` denies nothing. In German it may stand in front of its verb.
    """
    lexicon = reader.lexicon
    if lexicon.language == "de" and reader.at(index - 2) == lexicon.infinitive:
        return index - 1
    ahead = reader.sentence(index, _REACH)[0]
    between = (lexicon.occasions, lexicon.days)
    to = next((n for n in ahead if not any(reader.at(n) in words for words in between)), None)
    if to is None or reader.at(to) != lexicon.infinitive or _is_amount(reader, to + 1):
        return None
    return _next_of_content(reader, to, 0)


def _is_amount(reader: Reader, index: int) -> bool:
    return reader.number(index) is not None or reader.at(index) in reader.lexicon.units


def _next_of_content(reader: Reader, index: int, skipped: int) -> int | None:
    """The next word of content in the sentence; where it ends there, the one before."""
    ahead, behind = reader.sentence(index, skipped + _REACH)
    figures = reader.lexicon.figures
    if figures and figures.is_negated_before:
        ahead, behind = behind, ahead
    near = (*ahead[skipped : skipped + _REACH], *behind[:_REACH])
    return next((n for n in near if reader.at(n) and not _is_skipped(reader, n)), None)


def _stem(reader: Reader, index: int) -> str:
    return stem(reader.at(index), reader.lexicon.language)


def _refusals(reader: Reader) -> set[Fact]:
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
    telling = [n for n in ahead[is_rule:] if reader.at(n) and not _is_skipped(reader, n)]
    if token not in lexicon.refused or lexicon.language == "en":
        following = reader.at(telling[0]) if telling else ""
        if following.endswith(lexicon.deeds):
            return following
    if token not in lexicon.refused:
        return ""
    return next((t for n in reversed(behind) if (t := reader.at(n)).endswith(lexicon.deeds)), "")


def _is_skipped(reader: Reader, index: int) -> bool:
    """What says when or how often is a fact of its own, wherever the sentence puts it."""
    lexicon, token = reader.lexicon, reader.at(index)
    named = (lexicon.skipped, lexicon.negations, lexicon.days, lexicon.months)
    return any(token in words for words in named) or reader.number(index) is not None

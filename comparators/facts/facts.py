"""Key facts of a text: numbers, money, spans of time, dates, times, participants, negations.

A fact is (kind, canonical value), so that `ten percent` and `10 %`, `March 10` and
`the tenth of March` are compared by what they say. Repeating a fact does not make it
two, and a vaguer one (a date without its year) is the same fact.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from comparators.alignment.transcript_pair import Transcript
from comparators.facts.dates import UNSURE, moments, written
from comparators.facts.negation import negations
from comparators.facts.tokens import Fact, Reader, Reading
from comparators.language.figures import written_out
from comparators.language.lexicon import LEXICONS, SPANS, Lexicon
from comparators.language.normalise import base_language, normalise

LANGUAGES = frozenset(LEXICONS)
VAGUE = frozenset({"time", "date", "participant", "number", "money"})
"""Kinds of which one may say the same with less."""
_OF_MONEY = {"m": 1e6, "b": 1e9}
_AND = frozenset({"and", "und", "et", "y", "e", "en", "i"})
_UNSURE_UNITS = frozenset("mbs")
"""Metres, minutes or millions; billions; seconds or a decade."""
_HAS_DIGIT = re.compile(r"\d")


_SMALLER: Mapping[tuple[str, str], tuple[str, str, int]] = {
    ("duration", "minute"): ("number", "second", 60),
    ("duration", "day"): ("duration", "minute", 24 * 60),
    ("number", "pound weight"): ("money", "pound", 1),
}
"""What an amount of (kind, unit) may also be called, and how many of those it is."""


class Read(NamedTuple):
    """A text as read: its dates and times in figures, and the tokens of the rest."""

    written: frozenset[Fact]
    rest: Reading


def extract(text: str, language: str | None, names: Iterable[str] = ()) -> frozenset[Fact]:
    """Every fact of `text`; `names` are the participants to look for.

    Raises KeyError for a language without a lexicon (see LANGUAGES).
    """
    return facts_of(read(text, language), names)


def read(text: str, language: str | None) -> Read:
    """The text read once, for facts to be sought in it as often as wanted.

    Raises KeyError for a language without a lexicon (see LANGUAGES).
    """
    lexicon = LEXICONS[base_language(language) or ""]
    if lexicon.figures:
        text = written_out(text, lexicon.figures)
    rest, found = written(text, lexicon.language)
    return Read(frozenset(found), Reading(rest, lexicon))


def facts_of(text: Read, names: Iterable[str] = ()) -> frozenset[Fact]:
    """Every fact of a text; `names` are the participants to look for."""
    reader = Reader(text.rest)
    found = _participants(reader, names)  # first: who is meant is no part of what is negated
    found |= negations(reader)
    found |= moments(reader)
    return text.written | found | _amounts(reader)


def spoken_facts(
    transcript: Transcript, language: str, names: frozenset[str] = frozenset()
) -> frozenset[Fact]:
    """Facts of what was said, for what was written of it to be held against; as `extract`."""
    return transcript.once(_spoken_facts, language, names)


def _spoken_facts(transcript: Transcript, language: str, names: frozenset[str]) -> frozenset[Fact]:
    return facts_of(transcript.once(_read_transcript, language), names)


def _read_transcript(transcript: Transcript, language: str) -> Read:
    """Each speaker's words by themselves: no fact is made of what two people say."""
    by_speaker = defaultdict[int, list[str]](list)
    for word in transcript.words:
        by_speaker[word.speaker].append(word.text)
    return read("\n . \n".join([" ".join(texts) for texts in by_speaker.values()]), language)


def people_in(text: str, lexicon: Lexicon, names: Iterable[str]) -> frozenset[str]:
    """Of `names`, those that `text` names, as facts have them."""
    return frozenset(fact.value for fact in _participants(Reader(Reading(text, lexicon)), names))


def is_compatible(first: Fact, second: Fact) -> bool:
    """The same fact, or one that says the same with less."""
    if first == second or first in _readings(second) or second in _readings(first):
        return True
    says_as_much = _VAGUE.get(first.kind)
    if says_as_much is None or first.kind != second.kind:
        return False
    return says_as_much(first.value, second.value)


def _is_same_number(a: str, b: str) -> bool:
    """With its unit and without, or with a kind of it: degrees and degrees Celsius."""
    (number, _, unit), (other, _, another) = a.partition(" "), b.partition(" ")
    if number != other:
        return False
    units = set(unit.split()), set(another.split())
    return units[0] <= units[1] or units[1] <= units[0]


def _is_same_person(a: str, b: str) -> bool:
    return _is_part(a, b) or _is_part(b, a)


def _is_same_time(a: str, b: str) -> bool:
    return UNSURE in a + b and _on_the_dial(a) == _on_the_dial(b)


def _is_same_date(a: str, b: str) -> bool:
    return a in _endings(b) or b in _endings(a)


_VAGUE: Mapping[str, Callable[[str, str], bool]] = {
    "time": _is_same_time,
    "date": _is_same_date,
    "participant": _is_same_person,
    "number": _is_same_number,
    "money": _is_same_number,
}


def _readings(fact: Fact) -> tuple[Fact, ...]:
    """What `45m` may mean where nothing says which; a span of time in its smaller unit."""
    number, _, unit = fact.value.removesuffix(UNSURE).partition(" ")
    smaller = _SMALLER.get((fact.kind, unit))
    if smaller:
        kind, name, times = smaller
        return (Fact(kind, f"{_plain(float(number) * times)} {name}"),)
    if fact.kind != "number" or not fact.value.endswith(UNSURE):
        return ()
    if unit == "m":
        scaled = Fact("number", _plain(float(number) * 1e6))
        return (_spanning(float(number), "minute"), Fact("number", f"{number} metre"), scaled)
    if unit == "b":
        return (Fact("number", _plain(float(number) * 1e9)),)
    return (Fact("number", f"{number} second"),)


@lru_cache(maxsize=8)
def _unsure(facts: frozenset[Fact]) -> frozenset[Fact]:
    """Everything that those of them may mean which can be read in several ways."""
    return frozenset(reading for fact in facts for reading in _readings(fact))


def _endings(date: str) -> list[str]:
    """The date, and it without its year, and without its month."""
    parts = date.split("-")
    return ["-".join(parts[at:]) for at in range(len(parts))]


def _on_the_dial(time: str) -> tuple[int, str]:
    hour, minute = time.removesuffix(UNSURE).split(":")
    return int(hour) % 12, minute


def _is_part(vague: str, name: str) -> bool:
    """A name that several people bear is compatible with each of them."""
    return vague.endswith(UNSURE) and vague.removesuffix(UNSURE) in name.split()


def without_counterpart(facts: Iterable[Fact], others: frozenset[Fact]) -> list[Fact]:
    """The facts that are not among the others, in order.

    A number without its unit stands for one with it, unless both have it beside that.
    """
    own = frozenset(facts)
    bare = {fact for fact in own & others if fact.kind == "number" and " " not in fact.value}
    rest = others - bare
    return sorted(fact for fact in own if fact not in bare and not is_stated(fact, rest))


def is_stated(fact: Fact, facts: frozenset[Fact]) -> bool:
    """Whether these hold the fact, or one compatible with it."""
    if fact in facts or fact in _unsure(facts) or any(r in facts for r in _readings(fact)):
        return True
    if fact.kind == "date":
        dates, endings = _dates(facts)
        return fact.value in endings or not dates.isdisjoint(_endings(fact.value))
    return fact.kind in VAGUE and any(is_compatible(fact, other) for other in facts)


@lru_cache(maxsize=8)
def _dates(facts: frozenset[Fact]) -> tuple[frozenset[str], frozenset[str]]:
    """Every date, and every ending of one: there may be thousands, each sought among all."""
    dates = frozenset(fact.value for fact in facts if fact.kind == "date")
    return dates, frozenset(ending for date in dates for ending in _endings(date))


def _amounts(reader: Reader) -> set[Fact]:
    """Numbers with what they count, where that is per cent, money or a span of time."""
    found = set()
    for index in reader.reading.telling:
        token, ordinal = reader.tokens[index], reader.ordinal(index)
        number = reader.number(index)
        if ordinal:
            if ordinal[0] > 1 or token not in reader.lexicon.ordinals:
                found.add(Fact("number", str(ordinal[0])))
            reader.take(*range(index, index + ordinal[1]))
        elif number is not None:
            found.add(_amount(reader, index, number))
        elif _is_one(reader, index):
            found.add(_lasting(reader, index + 1, 1.0))
        elif reader.at(index) and _HAS_DIGIT.search(token):
            found.add(Fact("number", token))
    return found


def _amount(reader: Reader, index: int, number: float) -> Fact:
    """`1.2 million euro`, `$ 5`, `three weeks`, `12`."""
    lexicon, after = reader.lexicon, index + 1
    before = _currency_before(reader, index)
    scale = lexicon.scales.get(reader.at(after), 1)
    if before or reader.at(after + 1) in lexicon.units:  # else metres or minutes, say
        scale = _OF_MONEY.get(reader.at(after), scale)
    if scale != 1:
        reader.take(after)
        after += 1
        if [reader.at(after + n) for n in range(3)] == ["and", "a", "half"]:
            number += 0.5
            after += 3
    if lexicon.figures and reader.at(after) in lexicon.of and reader.at(after + 1) in lexicon.units:
        after += 1  # `3 millions d'euros`
    amount = number * scale * (-1 if reader.at(index - 1) == "minus" else 1)
    value = _plain(amount)
    unit = lexicon.units.get(reader.at(after)) or before
    if unit == "percent":
        return Fact("percent", value)
    if unit:
        return Fact("money", f"{value} {unit}")
    if reader.at(after) in lexicon.spans:
        return _lasting(reader, after, amount)
    if reader.at(after) in _UNSURE_UNITS:
        reader.take(after)
        return Fact("number", f"{value} {reader.tokens[after]}{UNSURE}")
    measure = lexicon.measures.get(reader.at(after))
    return Fact("number", f"{value} {measure}" if measure else value)


def _lasting(reader: Reader, at: int, amount: float) -> Fact:
    """A span of time in its smaller unit: `an hour and a half`, `1 hour 20 minutes` are one."""
    lexicon = reader.lexicon
    span = lexicon.spans[reader.at(at)]
    times, unit = SPANS.get(span, (1, span))
    whole, after = amount * times, at + 1 + (reader.at(at + 1) in _AND)
    rest = reader.number(after)
    parts = {"half": 0.5, "quarter": 0.25}
    if reader.at(after) == "a" and after > at + 1 and reader.at(after + 1) in parts:
        reader.take(*range(at, after + 2))
        whole += parts[reader.tokens[after + 1]] * times
    elif span != unit and rest is not None and lexicon.spans.get(reader.at(after + 1)) == unit:
        reader.take(*range(at, after + 2))
        whole += rest
    return _spanning(whole, unit)


def _spanning(amount: float, span: str) -> Fact:
    times, unit = SPANS.get(span, (1, span))
    return Fact("duration", f"{_plain(amount * times)} {unit}")


def _currency_before(reader: Reader, index: int) -> str | None:
    """`$ 5` has its currency in front; `3 euro 5` does not."""
    unit = reader.lexicon.units.get(reader.at(index - 1))
    is_money = unit is not None and unit != "percent"
    return unit if is_money and reader.number(index - 2) is None else None


def _plain(value: float) -> str:
    """12.0 is 12."""
    return str(int(value)) if value.is_integer() else f"{value:.6f}".rstrip("0")


def _is_one(reader: Reader, index: int) -> bool:
    """`one week`, `in a month`; not `twice a week`."""
    lexicon = reader.lexicon
    if reader.at(index) not in lexicon.ones or reader.at(index + 1) not in lexicon.spans:
        return False
    before = reader.at(index - 1)
    if before in lexicon.units or before in lexicon.measures:
        return False  # `500 euro a month`
    return before not in {"once", "twice", "times", "hours", "days"} and not before.isdigit()


def _participants(reader: Reader, names: Iterable[str]) -> set[Fact]:
    """People by any part of their name, in capitals where the text has any at all."""
    people = [normalise(name, reader.lexicon.language) for name in set(names)
              if not name.startswith("Speaker ")]  # fmt: skip
    bearers: dict[str, list[list[str]]] = {}
    for person in people:
        for part in {p for p in person if len(p) > 1 or len(person) == 1}:
            for form in (part, f"{part}s"):
                bearers.setdefault(form, []).append(person)
    if reader.lexicon.figures and reader.lexicon.figures.is_unspaced:
        return _participants_within(reader, people)
    named = [index for index, token in enumerate(reader.tokens) if token in bearers]
    has_capitals = bool(named) and reader.reading.has_capitals()
    found = set()
    for index in named:
        if reader.at(index) and (reader.reading.is_capital(index) or not has_capitals):
            value, taken = _who(reader.tokens, index, bearers[reader.tokens[index]])
            found.add(Fact("participant", value))
            reader.take(*range(index, index + taken))
    return found


def _participants_within(reader: Reader, people: Sequence[Sequence[str]]) -> set[Fact]:
    """People by their whole name or what stands in front of it, where no blank sets words apart."""
    text = "".join(reader.tokens)
    return {Fact("participant", " ".join(person)) for person in people if "".join(person) in text}


def _who(tokens: list[str], index: int, borne: list[list[str]]) -> tuple[str, int]:
    """(name, tokens) of the longest name that stands here; marked where several could be meant."""
    for person in sorted(borne, key=len, reverse=True):
        there = tokens[index : index + len(person)]
        if len(person) > 1 and [*there[:-1], there[-1].removesuffix("s")] in (
            person, [*person[:-1], person[-1].removesuffix("s")]
        ):  # fmt: skip
            return " ".join(person), len(person)
    if len(borne) == 1:
        return " ".join(borne[0]), 1
    part = next(p for p in borne[0] if tokens[index] in (p, f"{p}s"))
    return f"{part}{UNSURE}", 1

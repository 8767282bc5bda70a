"""Dates and times of a text, each in one canonical form however it was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from comparators.facts.tokens import Fact, Reader
from comparators.language.figures import figures_of
from comparators.language.lexicon import GERMAN_DAYS, MONTHS, word_set

UNSURE = " ?"
"""After a time that may be in the morning or in the afternoon."""
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY_AND_MONTH = r"(?<![\d.,])(0?[1-9]|[12]\d|3[01])\.(0?[1-9]|1[0-2])\."
_DOTTED_DATES = {
    "de": re.compile(_DAY_AND_MONTH + r"(\d{4}\b|\d{2}\b|(?!\d))"),
}
_DATED_IN_FULL = re.compile(_DAY_AND_MONTH + r"(\d{4}\b|\d{2}\b)")
"""But in German only with a year: `2.5.` is a decimal at a sentence's end."""
_DASHED_DATE = re.compile(r"\b(0?[1-9]|[12]\d|3[01])([-/])(0?[1-9]|1[0-2])\2(\d{4})\b")
"""The day first, as everywhere but in English."""
_EAST_ASIAN_DATE = re.compile(
    r"(?:(\d{4})\u5e74)?(\d{1,2})\u6708(?:(\d{1,2})[\u65e5\u53f7])?|(\d{4})\u5e74"
)
_SLASHED_DATE = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4})\b(?!/)")
_CLOCK = re.compile(
    r"\b(2[0-3]|[01]?\d)[:.]([0-5]\d)\s*(a\.? ?m\b\.?|p\.? ?m\b\.?|uhr\b)"
    r"|\b(2[0-3]|[01]?\d)[:h]([0-5]\d)\b(?![:\d])",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"\d")
_QUARTER = re.compile(r"q([1-4])")
_YEAR = re.compile(r"(?:19|20)\d\d")
_BEFORE_MONTHS = word_set(
    "in of by until to from since next last this early late mid through before after end"
)
_BEFORE_HOURS = word_set("at by until till")
_FIVES = range(10, 60, 5)
_BEFORE_TIMES = word_set("at by until till around about before after to um bis gegen ab vor nach")


def written(text: str, language: str) -> tuple[str, set[Fact]]:
    """Dates and times in figures, and the text without them."""
    found: set[Fact] = set()
    if not _DIGIT.search(text):
        return text, found

    def taking(kind: str, value: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
        def take(match: re.Match[str]) -> str:
            found.add(Fact(kind, value(match)))
            return " "

        return take

    text = _ISO_DATE.sub(taking("date", lambda m: m.group()), text)
    figures = figures_of(language)
    if figures and figures.is_unspaced:
        text = _EAST_ASIAN_DATE.sub(taking("date", _east_asian), text)
    elif figures:
        text = _DASHED_DATE.sub(taking("date", lambda m: _iso(m[4], m[3], m[1])), text)
    if figures:
        text = figures.time.sub(taking("time", _in_words), text)
    text = _SLASHED_DATE.sub(taking("date", _slashed), text)
    text = _DOTTED_DATES.get(language, _DATED_IN_FULL).sub(taking("date", _dotted), text)
    return _CLOCK.sub(taking("time", _clock), text), found


def _iso(year: str, month: str, day: str) -> str:
    return f"{year}-{int(month):02}-{int(day):02}"


def _east_asian(match: re.Match[str]) -> str:
    """Year, month and day, as far as they stand there."""
    year, month, day, year_alone = match.groups()
    if year_alone:
        return str(year_alone)
    if not day:
        return f"{year}-{int(month):02}" if year else MONTHS[(int(month) - 1) % 12]
    return _iso(year, month, day) if year else f"{int(month):02}-{int(day):02}"


def _in_words(match: re.Match[str]) -> str:
    """An hour by a language's own words."""
    found = match.groupdict()
    minute = 30 if found.get("half") else int(found.get("minute") or 0)
    half = next((half for half in ("am", "pm") if found.get(half)), "")
    return time_of(int(found["hour"]) % 24, minute, half, is_sure=found["hour"].startswith("0"))


def _dotted(match: re.Match[str]) -> str:
    """3.4.2025 as 2025-04-03, 3.4. as 04-03."""
    year = match.group(3)
    year = f"20{year}-" if len(year) == 2 else f"{year}-" if year else ""
    return f"{year}{int(match[2]):02}-{int(match[1]):02}"


def _slashed(match: re.Match[str]) -> str:
    """25/12/2025 as 2025-12-25; 3/10/2026 is ambiguous and keeps its order."""
    first, second, year = int(match[1]), int(match[2]), match[3]
    if first > 12 >= second:
        return f"{year}-{second:02}-{first:02}"
    if second > 12 >= first:
        return f"{year}-{first:02}-{second:02}"
    return f"{year}-{first}/{second}"


def _clock(match: re.Match[str]) -> str:
    hour, minute = match.group(1) or match.group(4), match.group(2) or match.group(5)
    half = re.sub(r"[^apm]", "", (match.group(3) or "").lower())
    return time_of(int(hour), int(minute), half, is_sure=hour.startswith("0"))


def time_of(hour: int, minute: int, half: str, *, is_sure: bool = False) -> str:
    """HH:MM on 24 hours; marked where an hour up to 12 could be either half of the day."""
    if half == "pm" and hour < 12:
        hour += 12
    elif half == "am" and hour == 12:
        hour = 0
    is_known = is_sure or half in {"am", "pm"} or not 1 <= hour <= 12
    return f"{hour:02}:{minute:02}" + ("" if is_known else UNSURE)


def moments(reader: Reader) -> set[Fact]:
    """Dates and times in words; what they are made of is taken."""
    found = set[Fact]()
    for read in (_quarters, _days_of_months, _times, _relative, _named):
        for index in reader.reading.telling:
            found.update(read(reader, index))
    return found


def _quarters(reader: Reader, index: int) -> Iterator[Fact]:
    """`q3`, `third quarter`, `3. Quartal`."""
    match = _QUARTER.fullmatch(reader.at(index))
    if match:
        reader.take(index)
        yield Fact("date", f"q{match.group(1)}")
        return
    which = _day(reader, index)
    if which and which[0] <= 4 and which[2] != "count":
        after = index + which[1]
        if reader.lexicon.spans.get(reader.at(after)) == "quarter":
            reader.take(*range(index, after + 1))
            yield Fact("date", f"q{which[0]}")


def _day(reader: Reader, index: int) -> tuple[int, int, str] | None:
    """(number, tokens, how it was said) of an ordinal, or of a whole number up to 31."""
    ordinal = reader.ordinal(index)
    if ordinal:
        return (*ordinal, "ordinal")
    number = reader.number(index)
    if number is None or number != int(number) or not 1 <= number <= 31:
        return None
    return int(number), 1, "ordinal" if reader.lexicon.language == "de" else "count"


def _days_of_months(reader: Reader, index: int) -> Iterator[Fact]:
    """`March 10`, `10 March 2026`, `the tenth of March`, `zehnter März`."""
    months = reader.lexicon.months
    if reader.at(index) in months:
        after = index + 1 + (reader.at(index + 1) == "the")
        day = _day(reader, after)
        if day and reader.lexicon.language == "en":
            yield _dated(reader, months[reader.at(index)], day[0], (index, after + day[1]))
        return
    day = _day(reader, index)
    if day is None:
        return
    month = index + day[1] + (reader.at(index + day[1]) in reader.lexicon.of)
    if reader.at(month) in months:
        yield _dated(reader, months[reader.at(month)], day[0], (index, month + 1))


def _dated(reader: Reader, month: int, day: int, span: tuple[int, int]) -> Fact:
    """A day of a month, with the year where one follows."""
    has_of = reader.lexicon.figures is not None and reader.at(span[1]) in reader.lexicon.of
    year = reader.at(span[1] + has_of)
    is_dated = bool(_YEAR.fullmatch(year))
    reader.take(*range(span[0], span[1] + is_dated * (1 + has_of)))
    return Fact("date", f"{year}-{month:02}-{day:02}" if is_dated else f"{month:02}-{day:02}")


def _times(reader: Reader, index: int) -> Iterator[Fact]:
    """`3 pm`, `three o'clock`, `15 Uhr 30`, `half past two`, `halb drei`, `noon`."""
    said = reader.lexicon.clock.get(reader.at(index))
    if said in {"noon", "midnight"}:
        reader.take(index)
        yield Fact("time", "12:00" if said == "noon" else "00:00")
    elif said in {"half", "quarter"}:
        yield from _fraction(reader, index, 30 if said == "half" else 15)
    elif said == "" or said is None:
        yield from _minutes(reader, index)
    hour, half = reader.number(index), reader.lexicon.clock.get(reader.at(index + 1), "")
    if hour is None or hour > 24 or hour != int(hour) or half not in {"am", "pm", "clock"}:
        return
    minute = reader.number(index + 2) if reader.lexicon.language == "de" else None
    has_minute = minute is not None and minute < 60 and minute == int(minute)
    after = index + 2 + has_minute
    if half == "clock":
        half, taken = _half_of_day(reader, after)
        after += taken
    reader.take(*range(index, after))
    yield Fact("time", time_of(int(hour) % 24, int(minute or 0) if has_minute else 0, half))


def _half_of_day(reader: Reader, index: int) -> tuple[str, int]:
    """(am or pm, tokens) of `pm`, `abends`, `in the evening`; nothing where it is not said."""
    skipped = 2 if (reader.at(index), reader.at(index + 1)) == ("in", "the") else 0
    half = reader.lexicon.clock.get(reader.at(index + skipped), "")
    return (half, skipped + 1) if half in {"am", "pm"} else ("", 0)


def _minutes(reader: Reader, index: int) -> Iterator[Fact]:
    """`ten past five`, `zehn vor acht`, `at five thirty`: minutes in fives, as on clocks."""
    minute, after = reader.number(index), reader.number(index + 1)
    is_hour = reader.at(index - 1) in _BEFORE_HOURS and minute in range(1, 13)
    if is_hour and after in _FIVES and not _counts(reader, index + 1):
        reader.take(index, index + 1)
        half, taken = _half_of_day(reader, index + 2)
        reader.take(*range(index + 2, index + 2 + taken))
        yield Fact("time", time_of(int(minute or 0), int(after or 0), half))
    elif minute in {5, 10, 20, 25}:
        yield from _fraction(reader, index, int(minute or 0))


def _fraction(reader: Reader, index: int, minutes: int) -> Iterator[Fact]:
    """Minutes past or to an hour; German `halb drei` is half an hour before three."""
    clock = reader.lexicon.clock
    is_german_half = minutes == 30 and reader.lexicon.language == "de"
    way = "to" if is_german_half else clock.get(reader.at(index + 1), "")
    at = index + 1 if is_german_half else index + 2
    hour = reader.number(at)
    if way not in {"past", "to"} or hour is None or not 1 <= hour <= 12:
        return
    if way == "to" and reader.number(index) and reader.at(index - 1) not in _BEFORE_TIMES:
        return  # from ten to twelve people
    at_minute = 60 * int(hour) + minutes * (1 if way == "past" else -1)
    half, taken = _half_of_day(reader, at + 1)
    reader.take(*range(index, at + 1 + taken))
    yield Fact("time", time_of(at_minute // 60 or 12, at_minute % 60, half))


def _relative(reader: Reader, index: int) -> Iterator[Fact]:
    """`next week`, `letzten Monat`."""
    which = reader.lexicon.relatives.get(reader.at(index))
    span = reader.lexicon.spans.get(reader.at(index + 1))
    if which and span in {"week", "month", "quarter", "year"}:
        reader.take(index, index + 1)
        yield Fact("date", f"{which} {span}")


def _named(reader: Reader, index: int) -> Iterator[Fact]:
    """Weekdays, months and years by themselves; `may` and `march` only where months are meant."""
    token, lexicon = reader.at(index), reader.lexicon
    day = lexicon.days.get(token) or _compound(token, reader)
    month = lexicon.months.get(token)
    if day:
        yield Fact("date", day)
    elif month and (token not in lexicon.unsure or _is_month(reader, index)):
        yield Fact("date", MONTHS[month - 1])
    elif _YEAR.fullmatch(token) and not _counts(reader, index):
        yield Fact("date", token)
    else:
        return
    reader.take(index)


def _compound(token: str, reader: Reader) -> str | None:
    """German `Freitagabend` is on Friday."""
    if reader.lexicon.language != "de" or not token.startswith(GERMAN_DAYS):
        return None
    day = next(word for word in GERMAN_DAYS if token.startswith(word))
    return reader.lexicon.days[day] if len(token) > len(day) + 3 else None


def _is_month(reader: Reader, index: int) -> bool:
    """Beside a number or after a preposition a month is meant."""
    numbered = reader.number(index - 1) is not None or reader.number(index + 1) is not None
    return numbered or reader.at(index - 1) in _BEFORE_MONTHS


def _counts(reader: Reader, index: int) -> bool:
    """Whether the number says how many or how much of something."""
    lexicon, after = reader.lexicon, reader.at(index + 1)
    before = lexicon.units.get(reader.at(index - 1))
    return (
        after in lexicon.units or after in lexicon.spans or after in lexicon.scales or bool(before)
    )

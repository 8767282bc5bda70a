"""Sentence against sentence: units, signs and spellings that differ, and that only look so."""

from __future__ import annotations

import pytest

from comparators.registry import by_name
from tests.comparing import observation, outputs_of

OTHERWISE = [
    ("It costs 3 million US dollars.", "It costs 3 million Canadian dollars."),
    ("It costs US$300.", "It costs C$300."),
    ("It weighs 5 kg.", "It weighs 5 lb."),
    ("It weighs 5 mg.", "It weighs 5 g."),
    ("The link carries 100 Mbit.", "The link carries 100 MB."),
    ("It took 20 ms.", "It took 20 microseconds."),
    ("It is 20 °C outside.", "It is 20 °F outside."),
    ("It is 20 degrees Celsius.", "It is 20 degrees Fahrenheit."),
    ("The limit is 30 km/h.", "The limit is 30 mph."),
    ("The rent is 500 euro a month.", "The rent is 500 euro per year."),
    ("They want three quarters of a million euros.", "They want a quarter of a million euros."),
    ("The team can\u05f3t ship.", "The team can ship."),
    ("The team can\u055at ship.", "The team can ship."),
    ("The team can\uff40t ship.", "The team can ship."),
    ("The plan was endorsed.", "The plan was turned down."),
    ("The plan was upheld.", "The plan was overturned."),
    ("Sales surged in May.", "Sales plunged in May."),
    ("The gate locks at night.", "The gate unlocks at night."),
    ("Pay within 5 days.", "Pay after 5 days."),
    ("Staff are required to wear badges.", "Staff are encouraged to wear badges."),
    ("The report was sent.", "The report will be sent."),
    ("The report has been sent.", "The report is to be sent."),
]
ALIKE = [
    ("It costs US$ 3m.", "It costs 3 million US dollars."),
    ("It costs US$ 3m.", "It costs $3,000,000."),
    ("They want half a billion euros.", "They want 500 million euros."),
    ("They want three quarters of a million euros.", "They want 750,000 euros."),
    ("The rent is 500 euro a month.", "The rent is 500 euro per month."),
    ("It weighs 5 lbs.", "It weighs 5 pounds."),
    ("It is 20 degrees outside.", "It is 20 °C outside."),
    ("The limit is 30 km/h.", "The limit is 30 km per hour."),
    ("It took 90 seconds.", "It took a minute and a half."),
    ("It took 36 hours.", "It took a day and a half."),
    ("The meeting is at five thirty.", "The meeting is at 5:30."),
    ("The meeting is at five thirty in the evening.", "The meeting is at 17:30."),
    ("See item no. 7.", "See item 7."),
    ("Dr. Meier signs on Monday.", "On Monday, Dr. Meier signs."),
]
GERMAN = "Das ist der Stand und die Lage, wie sie auch von dem Team für die Runde ist. "


def _errors(*texts, language="en"):
    """Facts that differ between two summaries, which must be comparable."""
    sides = [
        observation(
            outputs_of(title="", short_summary="", long_summary=text, topics=(), row={}),
            language=language,
        )
        for text in texts
    ]
    measure = by_name("summary_facts").compare(*sides)
    assert not measure.inconclusive
    return measure.errors


@pytest.mark.parametrize(("before", "after"), OTHERWISE)
def test_another_unit_opposite_or_tense_is_seen(before, after):
    """Whichever side has it."""
    assert _errors(before, after)
    assert _errors(after, before)


@pytest.mark.parametrize(("before", "after"), ALIKE)
def test_another_spelling_is_the_same_fact(before, after):
    """Whichever side has it."""
    assert _errors(before, after) == 0
    assert _errors(after, before) == 0


@pytest.mark.parametrize(
    ("before", "after", "is_same"),
    [
        ("Das Treffen ist am 14. März.", "Das Treffen ist am 14.03.", True),
        ("Das Treffen ist am 14. März.", "Das Treffen ist am 15. März.", False),
        ("Es dauert eineinhalb Stunden.", "Es dauert 90 Minuten.", True),
        ("Es kostet eine Milliarde Euro.", "Es kostet 1.000.000.000 Euro.", True),
    ],
)
def test_german_days_and_spans_are_read_in_both_spellings(before, after, is_same):
    """A day's full stop ends no sentence; a span of time may stand in its smaller unit."""
    texts = [GERMAN + text for text in (before, after)]
    assert (_errors(*texts, language="de") == 0) is is_same

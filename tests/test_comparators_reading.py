"""Figures, units, dates, times and apostrophes: each however it is written, and no other."""

from __future__ import annotations

import pytest

from comparators.facts.clauses import split
from comparators.facts.facts import extract, without_counterpart
from comparators.language.normalise import normalise


@pytest.mark.parametrize(
    ("said", "written", "language"),
    [
        ("12 thousand euro", "12,000 euro", "en"),
        ("three point five million euro", "3.5 million euro", "en"),
        ("1.5 billion", "1,500,000,000", "en"),
        ("one point five billion", "1.5 billion", "en"),
        ("three point one four", "3.14", "en"),
        ("3,5 Millionen", "3.500.000", "de"),
        ("fünf Prozent", "5 %", "de"),
        ("can\u00b4t", "can't", "en"),
        ("can\u2032t", "can\u2019t", "en"),
        ("soft\u00adware", "software", "en"),
        ("\u0130stanbul", "istanbul", "tr"),
    ],
)
def test_words_are_one_however_written(said, written, language):
    """What differs is the writing alone."""
    assert normalise(said, language) == normalise(written, language)


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("The plant costs $1.5 B.", "The plant costs $1.5 billion.", "en"),
        ("A cable of 200 m.", "A cable of 200 metres.", "en"),
        ("The answer is 2.5.", "The answer is 2.5 then", "en"),
        ("It costs 5.00.", "It costs 5.", "en"),
        ("See no. 5.", "See number 5.", "en"),
        ("At ten past five.", "At 5:10.", "en"),
        ("Um 17h30.", "Um 17:30.", "de"),
        ("On 25/12/2025.", "On 12/25/2025.", "en"),
    ],
)
def test_facts_are_one_however_written(one, other, language):
    """Neither text says what the other does not."""
    first, second = extract(one, language), extract(other, language)
    assert without_counterpart(first, second) == without_counterpart(second, first) == []


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("3.5 million euro", "3.5 billion euro", "en"),
        ("a cable of 12 metres", "a cable of 12 feet", "en"),
        ("a disk of 3 GB", "a disk of 3 MB", "en"),
        ("a copy takes 10 seconds, of 10", "a copy takes 10 milliseconds, of 10", "en"),
        ("half a percent", "a percent", "en"),
        ("ten past five", "ten to five", "en"),
        ("We can hardly ship.", "We can ship.", "en"),
        ("14. März: Lieferung", "15. März: Lieferung", "de"),
        ("pay on 3/10/2026", "pay on 10/3/2026", "en"),
        ("can\u00b4t ship", "can ship", "en"),
    ],
)
def test_another_fact_is_another(one, other, language):
    """Each says something that the other does not."""
    first, second = extract(one, language), extract(other, language)
    assert without_counterpart(first, second) + without_counterpart(second, first)


def test_people_are_not_a_time():
    """From ten to twelve of them."""
    assert {fact.kind for fact in extract("from ten to twelve people", "en")} == {"number"}


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("It took an hour and a half.", "It took 90 minutes.", "en"),
        ("It took 1 hour 20 minutes.", "It took 80 minutes.", "en"),
        ("It took three quarters of an hour.", "It took 45 minutes.", "en"),
        ("A 45m break.", "A 45 minute break.", "en"),
        ("A million and a half.", "1,500,000.", "en"),
        ("Half a million euro.", "500,000 euro.", "en"),
        ("Eine Viertelstunde.", "15 Minuten.", "de"),
    ],
)
def test_spans_are_one_however_written(one, other, language):
    """Neither text says what the other does not."""
    first, second = extract(one, language), extract(other, language)
    assert without_counterpart(first, second) == without_counterpart(second, first) == []


def test_no_number_reaches_over_the_end_of_a_sentence():
    """I have twenty; three people go."""
    assert normalise("I have twenty. Three go.", "en") == ["i", "have", "20", "3", "go"]
    assert normalise("I have twenty three.", "en") == ["i", "have", "23"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Ask Dr. Meier. She knows.", 2),
        ("Am 14. März. Danach nicht.", 2),
        ("See no. 5. It is short.", 2),
        ("It takes 20 ms. Then it stops.", 2),
        ("We moved to CA. It is warm.", 2),
        ("Es sind ca. 20 Leute.", 1),
    ],
)
def test_a_full_stop_of_an_abbreviation_ends_no_sentence(text, sentences):
    """But one of a unit or a state's sign does."""
    assert len(split(text)) == sentences

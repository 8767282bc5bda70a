"""Numbers and languages as people say them."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparators.facts.facts import extract
from comparators.language.normalise import normalise
from comparators.output_language import compare_language
from comparators.topic_boundaries import compare_topic_boundaries, windowed
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Outputs, Topic, Verdict, Word
from tests.comparing import observation, outputs_of


@pytest.mark.parametrize(
    ("said", "language", "written"),
    [
        ("two hundred and forty euro", "en", "240 euro"),
        ("one hundred, two hundred", "en", "100 200"),
        ("between one hundred and two hundred", "en", "between 100 and 200"),
        ("one thousand and two thousand", "en", "1000 and 2000"),
        ("one hundred and two thousand", "en", "102000"),
        ("two thousand and twenty-six", "en", "2026"),
        ("five hundred and nobody", "en", "500 and nobody"),
        ("two hundred forty thousand five", "en", "240005"),
        ("two million three hundred thousand", "en", "2300000"),
        ("fifteen hundred", "en", "1500"),
        ("twenty twenty six", "en", "20 26"),
        ("sixty and five", "en", "60 and 5"),
        ("three point five", "en", "3.5"),
        ("zwei tausend fünf hundert", "de", "2500"),
        ("hundert und zwanzig", "de", "120"),
        ("zwei hundert und drei hundert", "de", "200 und 300"),
    ],
)
def test_numbers_as_said(said, language, written):
    """One where one is meant, and two where two are."""
    assert " ".join(normalise(said, language)) == written


def test_money_said_is_money_written():
    """In words and in figures."""
    assert extract("two hundred and forty euro", "en") == extract("240 euro", "en")


def test_an_endlessly_repeated_word_is_not_a_number_of_thousands_of_digits():
    """A recogniser's loop is a catastrophe to report, not one of the comparison."""
    words = tuple(Word(text="hundred ", start=n * 0.3, end=n * 0.3 + 0.2) for n in range(2500))
    run = observation(Outputs(words=words, title="t", row={"status": "ended"}), events=(),
                      effects=())  # fmt: skip
    judged = compare(run, run).checks
    assert {c.verdict for c in judged if c.name != "completion"} == {Verdict.MATCHED}


def _by_definition(reference, hypothesis, units, k):
    """Every window counted."""
    held = [
        [sum(i < b <= i + k for b in side if b < units) for side in (reference, hypothesis)]
        for i in range(max(units - k, 0))
    ]
    return sum(r != h for r, h in held), sum(bool(r) != bool(h) for r, h in held), len(held)


BOUNDARIES = st.sets(st.integers(0, 45), max_size=6)


@given(BOUNDARIES, BOUNDARIES, st.integers(0, 40), st.integers(2, 12))
@settings(deadline=None, max_examples=300)
def test_windows_are_what_their_definition_says(reference, hypothesis, units, k):
    """Counted where they change, they are as many as one by one."""
    expected = _by_definition(reference, hypothesis, units, k)
    assert windowed(reference, hypothesis, units, k) == expected


def test_times_in_milliseconds_cost_no_memory():
    """Four hours of topics a thousand times too late: a million windows more, not a byte."""
    sides = [
        observation(Outputs(topics=tuple(
            Topic(title=f"t{n}", summary="s", timestamp=n * 120.0 * times) for n in range(120)
        )))
        for times in (1, 1000)
    ]  # fmt: skip
    tracemalloc.start()
    measure = compare_topic_boundaries(*sides)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert measure.errors > 200
    assert peak < 2_000_000


ENGLISH = (
    "The team decided that the launch is on Friday and it will be after the audit, and Bob has "
    "agreed to the plan."
)
FINNISH = (
    "Ana ja Bob sopivat, että julkaisu tehdään perjantaina, kun tarkastus on ohi, ja että se "
    "maksaa heille enemmän kuin he olivat aikoneet."
)


@pytest.mark.parametrize(
    ("mine", "theirs", "is_unsure"),
    [
        pytest.param(ENGLISH, ENGLISH, False, id="the same"),
        pytest.param(ENGLISH, FINNISH, True, id="one that we do not know"),
        pytest.param(FINNISH, ENGLISH, True, id="and back"),
        pytest.param(FINNISH, FINNISH, False, id="unknown on both"),
        pytest.param(ENGLISH, "Launch Friday; audit first.", False, id="too short to tell"),
        pytest.param(ENGLISH, "Bob agreed to the plan and will launch on Friday.", False,
                     id="a terser wording"),
        pytest.param("会議は金曜日に発売することを決めました。監査の後です。", FINNISH, True,
                     id="another script"),
    ],
)  # fmt: skip
def test_a_language_known_of_one_side_only_concludes_nothing(mine, theirs, is_unsure):
    """English into a language without a lexicon is not a match."""
    sides = [
        observation(outputs_of(short_summary=text, long_summary=text)) for text in (mine, theirs)
    ]
    measure = compare_language(*sides)
    assert bool(measure.inconclusive) is is_unsure
    assert not measure.errors

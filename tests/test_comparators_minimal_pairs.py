"""Sentences that are alike but for a few words: what changed, and what only reads otherwise."""

from __future__ import annotations

import pytest

from bench.wordings import PAIRS, tried
from comparators.registry import by_name
from reflector_migrate.model import Verdict
from tests.comparing import observation, outputs_of

pytestmark = pytest.mark.heavy

V = Verdict


def _altered(before, after, language="en"):
    """Kinds of what became of the summary's sentence."""
    sides = [
        observation(outputs_of(short_summary="", long_summary=text), language=language)
        for text in (before, after)
    ]
    found = by_name("summary_facts").compare(*sides)
    return [finding.fact.kind for finding in found.findings if finding.kind == "altered"]


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("Bob Brown supervises Ana Archer.", "Ana Archer supervises Bob Brown.", "role"),
        ("Rent rose in Oslo and fell in Bergen.", "Rent rose in Bergen and fell in Oslo.", "role"),
        ("We heard that Bergen, Oslo and Rome left Bonn, not Kiel, alone.",
         "We heard that Bergen, Oslo and Rome left Kiel, not Bonn, alone.", "role"),
        ("The vote passed and the motion failed.", "The vote failed and the motion passed.",
         "opposite"),
        ("The permit was granted.", "The permit was denied.", "opposite"),
        ("The pool closes before noon on holidays.", "The pool closes after noon on holidays.",
         "opposite"),
        ("Guests should sign the list.", "Guests must sign the list.", "modality"),
        ("Ana Archer has written the letter.", "Ana Archer will write the letter.", "tense"),
        ("Every office got a key.", "Most offices got a key.", "quantity"),
        ("The bus leaves hourly, ten times a day.", "The bus leaves hourly, ten times a week.",
         "unit"),
        ("The roof can stay unless it leaks.", "The roof can stay.", "clause"),
        ("Tea costs 3 euro and cake 4 euro.", "Tea costs 4 euro and cake 3 euro.", "figure"),
    ],
)  # fmt: skip
def test_a_changed_word_is_classified(before, after, kind):
    """By the closed lists, also where both texts hold the same figures and people."""
    assert kind in _altered(before, after)
    assert kind in _altered(after, before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Ana Archer and Bob Brown agreed.", "Bob Brown and Ana Archer agreed."),
        ("Ana Archer met Bob Brown in May.", "Bob Brown met Ana Archer in May."),
        ("Ana Archer praised Bob Brown.", "Bob Brown was praised by Ana Archer."),
        ("The permit was denied to them.", "The permit was not granted to them."),
        ("The roof is faster than the floor.", "The floor is slower than the roof."),
        ("Ana has to sign the list.", "Ana must sign the list."),
        ("On Monday the office moves out.", "The office moves out on Monday."),
        ("Its dates: Monday, yesterday, March.", "Its dates: March, yesterday, Monday."),
        ("Tea costs 3 euro, cake costs 4 euro.", "Cake costs 4 euro, tea costs 3 euro."),
    ],
)
def test_a_sentence_turned_round_says_the_same(before, after):
    """Partners of one deed, a passive, a denied opposite, another order."""
    assert _altered(before, after) == []


def test_a_finding_shows_both_sentences():
    """And which words of them."""
    texts = ("The permit was granted.", "The permit was denied.")
    sides = [observation(outputs_of(long_summary=text)) for text in texts]
    [finding] = by_name("summary_facts").compare(*sides).findings
    assert (finding.reference, finding.hypothesis) == (texts[0][:-1], texts[1][:-1])
    assert finding.message == "opposite: 'granted' became 'denied'"


def test_a_check_that_finds_nothing_says_what_it_looked_for():
    """It does not claim that two texts say the same."""
    side = observation(outputs_of())
    note = by_name("summary_facts").compare(side, side).note
    assert note.startswith("no altered figure, date, unit, name")
    assert note.endswith("found")


def test_topics_have_facts():
    """An amount in a topic's summary is not a matter of wording."""
    outputs = outputs_of()
    altered = [
        topic.model_copy(update={"summary": topic.summary.replace("ten", "eleven")})
        for topic in outputs.topics
    ]
    found = by_name("topic_facts").compare(
        observation(outputs), observation(outputs.model_copy(update={"topics": tuple(altered)}))
    )
    assert [f.message for f in found.findings] == [
        "percent 10 is missing",
        "percent 11 is extra, and was never said",
    ]


def test_most_changes_are_seen_and_no_paraphrase_is_one():
    """Of fifty changes beside floors of sixty pairs; of twenty-seven paraphrases none."""
    found = [(kind == "paraphrase", check.verdict) for kind, _, check in tried()]
    verdicts = [verdict for is_same, verdict in found if not is_same]
    assert len(verdicts) == 50
    assert verdicts.count(V.DIVERGED) >= 45
    assert [verdict for is_same, verdict in found if is_same].count(V.DIVERGED) == 0
    assert PAIRS == 60
    assert len(found) == 77

"""Facts under attack: paraphrases must keep them, alterations must not hide among them."""

from __future__ import annotations

import time
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparators.facts.facts import (
    extract,
    facts_of,
    is_compatible,
    is_stated,
    read,
    without_counterpart,
)
from comparators.facts.tokens import Fact, Reading
from comparators.language.lexicon import LEXICONS
from comparators.registry import by_name
from tests.comparing import observation, outputs_of

PEOPLE = ("Ana Archer", "Bob Brown", "Will Weber", "Ana Bell", "Speaker 3")


def _apart(first, second, language):
    """Facts of either text that the other one does not state."""
    a, b = (extract(text, language, PEOPLE) for text in (first, second))
    return [str(fact) for fact in (*without_counterpart(a, b), *without_counterpart(b, a))]


PARAPHRASES_EN = [
    ("It grew by ten percent.", "Growth was 10 %."),
    ("It grew by ten per cent.", "Growth of 10%."),
    ("The deadline is March 10.", "It is due on the tenth of March."),
    ("The deadline is March 10th, 2026.", "It is due on 2026-03-10."),
    ("Due on 10 March.", "Due on March the 10th, 2026."),
    ("On the twenty-third of May we ship.", "We ship on May 23rd."),
    ("They meet at 2:30 pm.", "The meeting is at 14:30."),
    ("They meet at 2:30.", "The meeting is at 2:30 p.m."),
    ("They meet at three o'clock.", "The meeting starts at 3 pm."),
    ("They meet at nine a.m.", "The meeting starts at 09:00."),
    ("They meet at half past two.", "They meet at 14:30."),
    ("They meet at noon.", "They meet at 12 pm."),
    ("The budget is $1.2 million.", "A budget of 1,200,000 dollars."),
    ("The budget is $1.2m.", "A budget of 1.2 million USD."),
    ("It costs €5k.", "It costs five thousand euros."),
    ("It costs EUR 1\u202f200.", "The price is 1,200 euro."),
    ("It costs £300.", "They pay three hundred pounds."),
    ("Ana Archer will call Bob.", "Bob Brown gets a call from Ana Archer."),
    ("Archer's plan was kept.", "The plan of Ana Archer was kept."),
    ("The team will not ship on Friday.", "The team won't be shipping on Friday."),
    ("The team will not ship.", "The team isn't going to ship."),
    ("The budget was not approved.", "They did not approve the budget."),
    ("The budget was never approved.", "They didn’t give approval."),
    ("Nobody agreed.", "No one agreed."),
    ("It is due in two weeks.", "They have 2 weeks."),
    ("It takes one month.", "It takes a month."),
    ("Revenue rose in the third quarter.", "Revenue rose in Q3."),
    ("We talk next week.", "The talk is in the coming week."),
    ("They meet on Mondays.", "The meeting is every Monday."),
    ("1. Ship it.\n2. Test it.", "- Ship it.\n- Test it."),
    ("Two dozen people came.", "24 people came."),
    ("It is not only cheap but fast.", "It is cheap and fast."),
    ("The 3rd option won.", "The third option won."),
    ("Bob declined to pay.", "Bob did not pay."),
    ("We hired 12,500 people.", "We hired twelve thousand five hundred people."),
]
PARAPHRASES_EN += [
    ("Sales fell 3.5 percent.", "Sales fell by three point five percent."),
    ("Half a million euros.", "500,000 euros."),
    ("A million dollars.", "$1m."),
    ("It takes two and a half hours.", "It takes 150 minutes."),
    ("One percent.", "1 %."),
    ("At one pm.", "At 13:00."),
    ("Half an hour is left.", "30 minutes are left."),
    ("Three o'clock in the afternoon.", "15:00."),
    ("No decision was made.", "They did not decide."),
    ("Neither Bob nor Will will come.", "Bob won't come and Will won't come."),
    ("They have 24/7 support.", "Support is 24/7."),
    ("Between 5 and 10 people.", "5-10 people."),
]
PARAPHRASES_DE = [
    ("Das Wachstum beträgt zehn Prozent.", "Es sind 10 % mehr."),
    ("Der Termin ist am 10. März.", "Der Termin ist am zehnten März."),
    ("Der Termin ist am 10.03.2026.", "Der Termin ist am 10. März 2026."),
    ("Am dreiundzwanzigsten Mai liefern wir.", "Wir liefern am 23. Mai."),
    ("Wir treffen uns um 14:30 Uhr.", "Das Treffen ist um 14.30 Uhr."),
    ("Wir treffen uns um halb drei.", "Das Treffen ist um 14:30 Uhr."),
    ("Wir treffen uns um drei Uhr.", "Das Treffen ist um 15 Uhr."),
    ("Das Budget beträgt 1,2 Millionen Euro.", "Das Budget: 1.200.000 €."),
    ("Es kostet 1,2 Mio. Euro.", "Es kostet 1.200.000 Euro."),
    ("Das Team liefert nicht am Freitag.", "Am Freitag wird das Team nicht liefern."),
    ("Das Budget wurde nicht genehmigt.", "Es gibt keine Genehmigung."),
    ("Niemand war dafür.", "Keiner war dafür."),
    ("Anas Plan bleibt, sagt Bob Brown.", "Bob sagt: Der Plan von Ana bleibt."),
    ("In zwei Wochen ist es soweit.", "Es dauert noch 2 Wochen."),
    ("Es dauert einen Monat.", "Es dauert 1 Monat."),
    ("Im dritten Quartal steigt es.", "Es steigt im Q3."),
    ("Nächste Woche reden wir.", "Wir reden in der kommenden Woche."),
    ("Am Freitagabend ist Schluss.", "Schluss ist am Freitag."),
    ("Das ist nicht nur billig, sondern schnell.", "Das ist billig und schnell."),
    ("Eine halbe Million Euro.", "500.000 Euro."),
    ("Eine Million Euro.", "1 Mio. €."),
    ("Anderthalb Stunden.", "90 Minuten."),
    ("Zweieinhalb Prozent.", "2,5 %."),
    ("Um halb acht abends.", "Um 19:30 Uhr."),
    ("Drei Komma fünf Prozent.", "3,5 %."),
    ("Um acht Uhr am achten Mai.", "Am 8. Mai um 8:00 Uhr."),
    ("Ein Euro.", "1 €."),
    ("Das Team liefert nicht.", "Es wird nicht geliefert."),
    ("Fünfundvierzigtausend Leute kamen.", "Es kamen 45.000 Leute."),
]


@pytest.mark.parametrize(
    ("first", "second", "language"),
    [(*pair, "en") for pair in PARAPHRASES_EN] + [(*pair, "de") for pair in PARAPHRASES_DE],
)
def test_a_paraphrase_states_the_same_facts(first, second, language):
    """Other words, other order, figures for words: nothing is missing and nothing added."""
    assert _apart(first, second, language) == []


RECAP_EN = (
    "Ana Archer and Bob will not ship on Friday, March 10 at 2:30 pm. Will Weber pays $1.2 million"
    " and 15 % more for 3 weeks; the budget was never approved. In Q3 the second plan costs 900"
    " euros. Next month 40 people move, but nobody leaves before noon."
)
ALTERED_SHORT = [
    ("Half a million euros.", "A million euros.", "en"),
    ("It is -5 degrees.", "It is 5 degrees.", "en"),
    ("Use version 2.1.", "Use version 2.2.", "en"),
    ("In room B12.", "In room B13.", "en"),
    ("It is on the 5th.", "It is on the 6th.", "en"),
    ("Anderthalb Stunden.", "Zweieinhalb Stunden.", "de"),
    ("1,5 Stunden.", "15 Stunden.", "de"),
    ("Um acht Uhr.", "Um neun Uhr.", "de"),
]
ALTERED_EN = [
    ("will not ship", "will ship"), ("never approved", "approved"), ("nobody leaves", "Bob leaves"),
    ("Friday", "Thursday"), ("March 10", "March 11"), ("March 10", "April 10"),
    ("2:30 pm", "2:30 am"), ("2:30 pm", "3:30 pm"), ("2:30 pm", "2:45 pm"), ("noon", "midnight"),
    ("$1.2 million", "$1.2 billion"), ("$1.2 million", "$12 million"),
    ("$1.2 million", "€1.2 million"), ("15 %", "50 %"), ("15 %", "15 euros"),
    ("3 weeks", "3 months"), ("3 weeks", "8 weeks"), ("Q3", "Q4"), ("second plan", "third plan"),
    ("900 euros", "900 dollars"), ("900", "9000"), ("Next month", "Last month"),
    ("40 people", "14 people"), ("Ana Archer", "Ana Bell"), ("Will Weber pays", "Bob pays"),
    ("Bob will", "Will Weber will"), ("not ship", "not test"), (", March 10", ""),
    ("at 2:30 pm", "this afternoon"), ("approved", "rejected"),
]  # fmt: skip
RECAP_DE = (
    "Ana Archer und Bob liefern nicht am Freitag, dem 10. März, um 14:30 Uhr. Will Weber zahlt"
    " 1,2 Millionen Euro und 15 Prozent mehr für 3 Wochen; das Budget wurde nie genehmigt. Im Q3"
    " kostet der zweite Plan 900 Euro. Nächsten Monat ziehen 40 Leute um, aber niemand kündigt."
)
ALTERED_DE = [
    ("liefern nicht", "liefern"), ("nie genehmigt", "genehmigt"),
    ("niemand kündigt", "Bob kündigt"),
    ("Freitag", "Donnerstag"), ("10. März", "11. März"), ("10. März", "10. Mai"),
    ("14:30 Uhr", "2:45 Uhr"), ("14:30 Uhr", "15:30 Uhr"), ("1,2 Millionen", "1,2 Milliarden"),
    ("1,2 Millionen", "12 Millionen"), ("Millionen Euro", "Millionen Dollar"),
    ("15 Prozent", "50 Prozent"), ("3 Wochen", "3 Monate"), ("3 Wochen", "8 Wochen"),
    ("Q3", "Q4"), ("zweite Plan", "dritte Plan"), ("900", "9000"), ("Nächsten", "Letzten"),
    ("40 Leute", "14 Leute"), ("Ana Archer", "Ana Bell"), ("Will Weber", "Bob"),
    ("niemand", "jeder"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("recap", "old", "new", "language"),
    [(RECAP_EN, *pair, "en") for pair in ALTERED_EN]
    + [(RECAP_DE, *pair, "de") for pair in ALTERED_DE],
)
def test_an_altered_fact_is_found_in_the_midst_of_others(recap, old, new, language):
    """One change in a summary full of facts: at least one of them differs."""
    assert old in recap
    assert _apart(recap, recap.replace(old, new, 1), language) != []


@pytest.mark.parametrize(("first", "second", "language"), ALTERED_SHORT)
def test_an_altered_fact_is_found_alone(first, second, language):
    """Signs, decimals, halves and codes are facts too."""
    assert _apart(first, second, language) != []


@pytest.mark.parametrize(
    ("text", "language", "facts"),
    [
        pytest.param(
            "Will the team ship? Bob will.",
            "en",
            ["bob brown", "will weber"],
            id="a name at a sentence's start cannot be told from a verb",
        ),
        pytest.param("The team will ship.", "en", [], id="a verb is nobody"),
        pytest.param("Ana agreed", "en", ["ana ?"], id="two of them are called so"),
        pytest.param(
            "ana archer agreed with bob",
            "en",
            ["ana archer", "bob brown"],
            id="a text without capitals",
        ),
        pytest.param("Browns Plan", "de", ["bob brown"], id="a German genitive"),
        pytest.param("Speaker 3 agreed", "en", [], id="a placeholder is nobody"),
    ],
)
def test_who_is_meant(text, language, facts):
    """Names by any part, in capitals; where several are meant it is not guessed which."""
    found = extract(text, language, PEOPLE)
    assert sorted(f.value for f in found if f.kind == "participant") == facts


@pytest.mark.parametrize("language", ["sv", "tr", "ko", "xx"])
@pytest.mark.parametrize("name", ["title_facts", "summary_facts"])
def test_any_other_language_is_inconclusive_by_name(name, language):
    """Numbers alone would look like a verdict on unreadable texts."""
    a, b = (
        observation(outputs_of(title=text, short_summary=text, long_summary="", row={}),
                    language=language)
        for text in ("Budget 10", "Budget 11")
    )  # fmt: skip
    measure = by_name(name).compare(a, b)
    assert (measure.errors, measure.length) == (0, 0)
    assert language in measure.inconclusive


@given(st.text(max_size=60), st.sampled_from(["en", "de"]))
@settings(deadline=None, max_examples=300)
def test_any_text_has_facts_and_agrees_with_itself(text, language):
    """No input raises; a fact always has its counterpart in the same text."""
    found = extract(text, language, PEOPLE)
    assert without_counterpart(found, found) == []


def test_a_four_hour_transcript_is_read_in_a_moment():
    """Support is sought in all words of a run; that must not take longer than the comparison."""
    text = " ".join([RECAP_EN] * 700)
    begin = time.process_time()
    assert extract(text, "en", PEOPLE) == extract(RECAP_EN, "en", PEOPLE)
    assert time.process_time() - begin < 3


def test_one_without_a_full_stop_is_too():
    """A recogniser may write no punctuation: then all of it is one sentence, full of negations."""
    text = "we will not ship the pears and nobody paid " * 4000
    begin = time.process_time()
    assert extract(text, "en") == extract("We will not ship the pears and nobody paid", "en")
    assert time.process_time() - begin < 3


def test_a_text_read_once_gives_its_facts_as_often_as_asked():
    """What one search takes for its names is there for the next."""
    once = read(RECAP_EN, "en")
    found = [facts_of(once, names) for names in (PEOPLE, (), PEOPLE)]
    assert found == [extract(RECAP_EN, "en", names) for names in (PEOPLE, (), PEOPLE)]
    assert found[0] != found[1]


def _seconds(work):
    begun = time.process_time()
    work()
    return time.process_time() - begun


def test_a_line_of_dots_is_read_once():
    """Some recognisers write a pause so: twenty thousand took seconds, each dot all behind it."""
    dots = "." * 20_000
    assert _seconds(lambda: extract(f"we do not {dots}x ship", "en")) < 0.5
    stops = {f"we do not{mark} ship": "" for mark in (".", "?!", "...)", ';"', ":")}
    for text in stops:
        assert Reading(text, LEXICONS["en"]).is_stop(2)
    for text in ("we do not.x ship", "we do not ) ship", "we do not_ ship"):
        assert not Reading(text, LEXICONS["en"]).is_stop(2)


def test_thousands_of_dates_are_sought_among_thousands():
    """By what they end with, and not each against each."""
    days = [date(2000, 1, 1) + timedelta(days=n) for n in range(3000)]
    mine = frozenset(Fact("date", f"{day}") for day in days)
    theirs = frozenset(Fact("date", f"{day + timedelta(days=3000)}") for day in days)
    found: list[Fact] = []
    assert _seconds(lambda: found.extend(without_counterpart(mine, theirs))) < 0.5
    assert found == sorted(mine)


@pytest.mark.parametrize("values", [
    ("2026-03-10", "03-10", True), ("03-10", "2026-03-10", True), ("2026-03-10", "10", True),
    ("2026-03-10", "2025-03-10", False), ("2026-03-10", "3-10", False), ("03-10", "04-10", False),
])  # fmt: skip
def test_a_date_with_less_is_stated_by_one_with_more(values):
    """The index says what the comparison of two says."""
    mine, theirs, expected = Fact("date", values[0]), Fact("date", values[1]), values[2]
    assert is_compatible(mine, theirs) is expected
    assert is_stated(mine, frozenset({theirs})) is expected


@pytest.mark.parametrize(
    ("text", "language", "negated"),
    [
        pytest.param("We decided against postponing it.", "en", {"postpo"}, id="against"),
        pytest.param("They ruled out hiring.", "en", {"hir"}, id="ruled out"),
        pytest.param("Hiring was ruled out.", "en", {"hir"}, id="it is ruled out"),
        pytest.param("We did not rule out hiring.", "en", {"rul"}, id="not ruled out"),
        pytest.param("The rule against theft is old.", "en", set(), id="no deed"),
        pytest.param("The proposal was rejected.", "en", set(), id="a thing that is rejected"),
        pytest.param("Die Verschiebung wurde abgelehnt.", "de", {"versch"}, id="German"),
        pytest.param("Wir sind gegen die Verschiebung.", "de", {"versch"}, id="German, against"),
        pytest.param("Der Antrag wurde abgelehnt.", "de", set(), id="German, a thing"),
    ],
)
def test_what_is_refused_is_negated(text, language, negated):
    """Where a deed is refused; a thing rejected is a fact of its own, and no negation."""
    found = extract(text, language)
    assert {fact.value for fact in found if fact.kind == "negation"} == negated


@pytest.mark.parametrize(
    ("text", "language", "negated"),
    [
        pytest.param("The team did not deliver.", "en", {"deliv"}, id="by a word"),
        pytest.param("The team failed to deliver.", "en", {"deliv"}, id="by a verb"),
        pytest.param("The team missed its date to deliver.", "en", {"deliv"}, id="by an occasion"),
        pytest.param("They missed the Friday deadline to file.", "en", {"fil"}, id="and its day"),
        pytest.param("The team never missed its date to deliver.", "en", set(), id="cancelled out"),
        pytest.param("We did not fail to deliver.", "en", set(), id="cancelled out, too"),
        pytest.param("Revenue declined to 5 percent.", "en", set(), id="a number is no deed"),
        pytest.param("Revenue declined to $5.", "en", set(), id="nor is money"),
        pytest.param("He missed his flight to Boston.", "en", set(), id="nor a place"),
        pytest.param("Das Team liefert nicht.", "de", {"liefer"}, id="German"),
        pytest.param("Das Team versäumte es zu liefern.", "de", {"liefer"}, id="German verb"),
        pytest.param("Es hat den Termin zu liefern verpasst.", "de", {"liefer"}, id="verb last"),
        pytest.param("Sie weigert sich zu zahlen.", "de", {"zahl"}, id="German reflexive"),
        pytest.param("Sie hat nicht vergessen zu zahlen.", "de", set(), id="German, cancelled"),
    ],
)
def test_what_was_not_done_is_negated_however_it_is_said(text, language, negated):
    """`missed its date to deliver` and `did not deliver` are one fact."""
    found = extract(text, language)
    assert {fact.value for fact in found if fact.kind == "negation"} == negated

"""Normalisation, topics, summaries and their facts."""

from __future__ import annotations

import pytest

from comparators.facts.facts import extract
from comparators.language.normalise import NORMALISER, normalise
from comparators.output_language import detect
from comparators.registry import by_name
from reflector_migrate.model import Severity, Topic
from tests.comparing import observation, outputs_of

GERMAN = "Das Team wird die Lieferung nicht am Freitag machen und der Plan ist mit Ana besprochen."


@pytest.mark.parametrize(
    ("text", "language", "tokens"),
    [
        pytest.param("Twenty-three people", "en", ["23", "people"], id="tens and units"),
        pytest.param("two hundred forty thousand five", "en", ["240005"], id="scales"),
        pytest.param("one of them", "en", ["one", "of", "them"], id="a lone one is a word"),
        pytest.param("nineteen twenty", "en", ["19", "20"], id="two numbers stay two"),
        pytest.param("$1,200.50", "en", ["dollar", "1200.50"], id="money"),
        pytest.param("dreiundzwanzig", "de", ["23"], id="German compound"),
        pytest.param("fünfundvierzigtausend", "de", ["45000"], id="German thousands"),
        pytest.param("1.200,50 Straße", "de", ["1200.50", "strasse"], id="German marks, sharp s"),
        pytest.param("l’été", "fr", ["lété"], id="no number words for French"),
        pytest.param("二千人 ok", "ja", ["二", "千", "人", "ok"], id="a script without spaces"),
        pytest.param("ﬁne Ｆｕｌｌ", "en", ["fine", "full"], id="compatibility forms"),
        pytest.param("...", "en", [], id="punctuation alone"),
        pytest.param("1\u202f200 ₹", "en", ["1200", "rupee"], id="a blank within a number"),
        pytest.param("e\u0301", "en", ["é"], id="combining marks"),
        pytest.param("can't can’t canʼt cant", "en", ["cant"] * 4, id="apostrophes of all sorts"),
        pytest.param("İstanbul ſs", "tr", ["istanbul", "ss"], id="case folding beyond ASCII"),
        pytest.param("ภาษา", "th", ["ภ", "า", "ษ", "า"], id="Thai"),
        pytest.param("दिन दीन", "hi", ["दिन", "दीन"], id="vowels that are combining marks"),
        pytest.param("한국어 문장", "ko", ["한국어", "문장"], id="Korean has spaces"),
    ],
)
def test_normalisation(text, language, tokens):
    """words/5, row by row."""
    assert NORMALISER == "words/5"
    assert normalise(text, language) == tokens


@pytest.mark.parametrize(
    ("text", "language", "facts"),
    [
        pytest.param("ten percent", "en", {"percent 10"}, id="per cent"),
        pytest.param("10 %", "en", {"percent 10"}, id="the same in figures"),
        pytest.param("1.2 million euros", "en", {"money 1200000 euro"}, id="scaled money"),
        pytest.param("$5", "en", {"money 5 dollar"}, id="currency in front"),
        pytest.param("at 3 pm", "en", {"time 15:00"}, id="clock with half"),
        pytest.param("on 2026-03-04", "en", {"date 2026-03-04"}, id="ISO date"),
        pytest.param("we may march", "en", set(), id="verbs are no months"),
        pytest.param("in March", "en", {"date march"}, id="month"),
        pytest.param("not approved", "en", {"negation approv"}, id="negation"),
        pytest.param("um 15 Uhr", "de", {"time 15:00"}, id="German clock"),
        pytest.param("am 3.4.2026", "de", {"date 2026-04-03"}, id="German date"),
        pytest.param("kein Budget", "de", {"negation budg"}, id="German negation"),
        pytest.param("zehn Prozent", "de", {"percent 10"}, id="German per cent"),
        pytest.param("Ana agreed", "en", {"participant ana archer"}, id="first name"),
    ],
)
def test_facts(text, language, facts):
    """What counts as a fact, and its canonical form."""
    found = extract(text, language, ["Ana Archer", "Speaker 1"])
    assert {f"{fact.kind} {fact.value}" for fact in found} == facts


RECAP = "Ana and Bob will not ship on Friday; the audit costs 1200 euro and takes ten percent."


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        pytest.param(RECAP.replace("not ", ""), "negation", id="negation flipped"),
        pytest.param(RECAP.replace("1200", "2100"), "money", id="number altered"),
        pytest.param(RECAP.replace("ten", "twelve"), "percent", id="per cent altered"),
        pytest.param(RECAP.replace("Bob", "Carla"), "participant", id="wrong person"),
        pytest.param(RECAP.replace("Friday", "Monday"), "date", id="date altered"),
    ],
)
def test_an_altered_fact_is_found_where_overlap_sees_little(changed, kind):
    """chrF++ stays above 85 while the fact check says which fact is wrong."""
    people = [{"id": n, "speaker": i, "name": n} for i, n in enumerate(["Ana", "Bob", "Carla"])]
    a, b = (
        observation(outputs_of(short_summary=text, long_summary="", participants=people))
        for text in (RECAP, changed)
    )
    assert by_name("short_summary").compare(a, b).stats["chrf_plus_plus"] > 80
    measure = by_name("summary_facts").compare(a, b)
    assert measure.errors >= 1
    in_place = {"person"} if kind == "participant" else set()
    assert {f.path.split("/")[1] for f in measure.findings} == {kind, *in_place}


def test_a_fact_that_was_never_said_is_critical():
    """Support is sought in the run's own transcript."""
    a = observation(outputs_of(short_summary="It costs 1200 euro.", long_summary=""))
    b = observation(outputs_of(short_summary="It costs 9999 euro.", long_summary=""))
    findings = {f.kind: f for f in by_name("summary_facts").compare(a, b).findings}
    assert findings["missing"].severity is Severity.MAJOR
    assert findings["extra"].severity is Severity.CRITICAL


def test_a_paraphrase_keeps_its_facts():
    """Other words, the same facts: overlap is low, facts agree."""
    a = observation(
        outputs_of(short_summary="Ana and Bob: ten percent, 1200 euro.", long_summary="")
    )
    b = observation(
        outputs_of(short_summary="Bob says with Ana: 10 % and 1,200 euros.", long_summary="")
    )
    assert by_name("summary_facts").compare(a, b).errors == 0
    assert by_name("short_summary").compare(a, b).divergence > 0.2


@pytest.mark.parametrize(
    ("mine", "theirs", "concludes"),
    [
        pytest.param("Budgeten är tio", "Budgeten är elva", False, id="Swedish differs"),
        pytest.param("Budgeten är tio", "Budgeten är tio", True, id="Swedish is equal"),
    ],
)
def test_a_language_without_a_lexicon_is_inconclusive_by_name(mine, theirs, concludes):
    """Nothing is guessed about a language without a lexicon."""
    a, b = (
        observation(outputs_of(short_summary=text, long_summary="", row={}), language="sv")
        for text in (mine, theirs)
    )
    measure = by_name("summary_facts").compare(a, b)
    assert measure.errors == 0
    assert ("sv" in measure.inconclusive) is not concludes


def test_language_is_found_by_function_words_and_script():
    """Long enough texts have a language, short ones none."""
    assert detect(GERMAN) == "de"
    assert detect("The team will not ship the plan on Friday and that is the end of it.") == "en"
    assert detect("Budget") is None
    assert detect("今日は会議をしました。") == "ja"


def test_a_summary_in_another_language_is_found():
    """A hard-coded target language shows even where overlap has no floor."""
    english = "The team will not ship on Friday and the plan is agreed with Ana in the meeting."
    a = observation(outputs_of(short_summary=GERMAN, long_summary=GERMAN))
    b = observation(outputs_of(short_summary=english, long_summary=english))
    [finding] = by_name("language").compare(a, b).findings
    assert (finding.reference, finding.hypothesis, finding.step) == ("de", "en", "generate_summary")


def _topics(*starts, title="Budget review", summary="We looked at the budget."):
    return tuple(
        Topic(id=str(s), title=f"{title} {s}", summary=summary, timestamp=s) for s in starts
    )


@pytest.mark.parametrize(
    ("reference", "hypothesis", "matched", "missing", "extra"),
    [
        pytest.param((0, 60, 120), (0, 60, 120), 3, 0, 0, id="equal"),
        pytest.param((0, 60, 120), (0, 60), 2, 1, 0, id="one lost"),
        pytest.param((0, 60), (0, 0, 60, 60), 2, 0, 2, id="duplicated on retry"),
        pytest.param((), (0,), 0, 0, 1, id="out of nothing"),
        pytest.param((0,), (), 0, 1, 0, id="none left"),
    ],
)
def test_topics_are_matched_lost_and_extra_ones_counted(
    reference, hypothesis, matched, missing, extra
):
    """The rate covers every topic once, not only the matched ones."""
    a = observation(outputs_of(topics=_topics(*reference)))
    b = observation(outputs_of(topics=_topics(*hypothesis)))
    counts = by_name("topic_content").compare(a, b).counts
    assert (counts["matched"], counts["missing"], counts["extra"]) == (matched, missing, extra)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "divergence"),
    [
        pytest.param((0, 100, 200), (0, 100, 200), 0, id="equal"),
        pytest.param((0,), (0,), None, id="one topic has no inner boundary"),
        pytest.param((0, 100), (0,), 1, id="missed"),
        pytest.param((0, 100), (0, 131), 1, id="just beyond the tolerance"),
        pytest.param((0, 100), (0, 115), 15 / 31, id="a near miss weighs its span"),
    ],
)
def test_topic_boundaries(reference, hypothesis, divergence):
    """1 - B with a tolerance of 30 s."""
    a = observation(outputs_of(topics=_topics(*reference)))
    b = observation(outputs_of(topics=_topics(*hypothesis)))
    found = by_name("topic_boundaries").compare(a, b).divergence
    assert found == (None if divergence is None else pytest.approx(divergence))

"""Whom a summary lets say whose words: found by who said them, however they are worded."""

from __future__ import annotations

import time

import pytest

from comparators.alignment.transcript_pair import Transcripts
from comparators.facts.negated_clauses import Text, turned
from comparators.facts.speaker_attribution import attributions
from comparators.facts.substituted_facts import substituted
from comparators.registry import by_name
from reflector_migrate.model import Outputs, Participant, Word
from tests.comparing import observation

compare_summary_facts = by_name("summary_facts").compare

SAID = {
    0: "We sold forty crates of pears at the harbour market on Saturday",
    1: "The accountant wants every receipt before the auditors arrive",
    2: "Our bakery oven broke and the repair costs a fortune",
}
NAMES = {0: "Ann Ash", 1: "Bo Birch", 2: "Cy Cole"}
RIGHT = (
    "Ann Ash reported selling crates of pears at the harbour market. "
    "Bo noted that the accountant needs receipts before auditors arrive.\n"
    "Cy Cole regretted the broken bakery oven and its repair."
)


def _run(summary, names=NAMES, said=SAID, language="en", **changes):
    texts = [(speaker, text) for speaker, line in said.items() for text in line.split()]
    words = tuple(
        Word(text=f"{text} ", start=n * 0.5, end=n * 0.5 + 0.4, speaker=speaker)
        for n, (speaker, text) in enumerate(texts)
    )
    people = tuple(Participant(id=str(n), speaker=n, name=name) for n, name in names.items())
    outputs = Outputs(words=words, participants=people, long_summary=summary, title="t")
    return observation(outputs, language=language, **changes)


def _swapped(text, first="Ann Ash", second="Cy Cole"):
    return text.replace(first, "\0").replace(second, first).replace("\0", second)


def _wrong(summary, **changes):
    run = _run(summary, **changes)
    people, transcript = run.outputs.participants, Transcripts().of(run)
    wrong = attributions(summary, "en", transcript, people, NAMES.values())
    return {fact.value for fact in wrong}


ANN_FOR_CY = "ann ash says what cy cole said"


@pytest.mark.parametrize(
    ("summary", "wrong"),
    [
        pytest.param(RIGHT, set(), id="everybody says their own"),
        pytest.param(
            _swapped(RIGHT), {ANN_FOR_CY, "cy cole says what ann ash said"}, id="two exchanged"
        ),
        pytest.param("Cy, not Ann, sold crates of pears at the harbour.", set(), id="both named"),
        pytest.param("Ann talked about an oven.", set(), id="too little to tell"),
        pytest.param("Crates of pears were sold at the harbour market.", set(), id="nobody named"),
        pytest.param("Dee sold crates of pears at the harbour market.", set(), id="a stranger"),
        pytest.param(
            "Ann: crates of pears, the market; the bakery oven and its repair.", set(),
            id="half of it is theirs",
        ),
        pytest.param(
            "Ann Ash regretted the broken bakery oven and repairs. Cy has pears in crates.",
            {ANN_FOR_CY}, id="other forms of the words, and less of them the other way",
        ),
        pytest.param("Ann Ash will see to the broken bakery oven and its repair.", set(),
                     id="a task taken on"),
        pytest.param(
            "Cy reported the bakery oven and its repair. "
            "Ann will see to the broken bakery oven and its repair.",
            set(), id="a task taken on after a report",
        ),
        pytest.param(
            "Bo sold crates of pears at the harbour. Cy said the accountant wants receipts. "
            "Ann regretted the broken bakery oven and its repair.",
            {ANN_FOR_CY, "bo birch says what ann ash said", "cy cole says what bo birch said"},
            id="three in a ring"),
    ],
)  # fmt: skip
def test_whose_words(summary, wrong):
    """One fact for each person who is given another's words, and only where that is plain."""
    assert _wrong(summary) == wrong


def test_words_that_all_say_belong_to_no_one_speaker():
    """The named person may have said them."""
    assert _wrong(_swapped(RIGHT), said=dict.fromkeys(SAID, " ".join(SAID.values()))) == set()


def test_names_exchanged_in_the_row_are_the_participants_own_difference():
    """The summary then follows its row, and is right by it."""
    other = {0: "Cy Cole", 1: "Bo Birch", 2: "Ann Ash"}
    assert _wrong(_swapped(RIGHT), names=other) == set()


def test_an_exchange_is_a_difference_of_facts():
    """No name is missing and none is new: only who says what is another."""
    right, wrong = _run(RIGHT), _run(_swapped(RIGHT), role="candidate")
    measure = compare_summary_facts(right, wrong)
    paths = {f.path for f in measure.findings}
    assert paths == {"summary_facts/attribution/extra", "summary_facts/person/altered"}
    assert {f.severity.value for f in measure.findings} == {"critical"}
    assert measure.counts["unsupported"] == 0, "all of it was said: nothing is invented"
    assert substituted(measure)["attributions"] == 2
    assert compare_summary_facts(wrong, right).counts["missing"] == 2
    assert compare_summary_facts(wrong, wrong.model_copy()).errors == 0


def test_a_mistake_that_both_make_is_not_a_difference():
    """Legacy's own confusion is not the candidate's."""
    mine = _run(_swapped(RIGHT))
    theirs = _run(_swapped(RIGHT).replace("regretted", "was sad about"), role="candidate")
    assert compare_summary_facts(mine, theirs).errors == 0


NEGATED = "Ann said: we did not reject Martin Kowalski. "


@pytest.mark.parametrize(
    ("written", "turned"),
    [
        pytest.param("Ann said: we did reject Martin Kowalski. ", 1, id="the opposite"),
        pytest.param("Martin Kowalski, it turns out, waits; votes to reject follow.", 0,
                     id="the same words, another clause"),
        pytest.param("Key points: reject, martin, kowalski.", 0, id="a list of key words"),
        pytest.param("Nobody mentioned him.", 0, id="left out"),
    ],
)  # fmt: skip
def test_a_negation_is_altered_only_where_its_clause_stands_without_it(written, turned):
    """A word that stands elsewhere in a text negates nothing there."""
    said = {**SAID, 1: "We did not reject Martin Kowalski"}
    mine, theirs = _run(RIGHT + NEGATED, said=said), _run(RIGHT + written, said=said)
    measure = compare_summary_facts(mine, theirs)
    assert substituted(measure)["negations"] == turned


@pytest.mark.parametrize(
    ("said", "figure", "unsupported"),
    [
        pytest.param("It is off since the 30th of January", "the 30th of", 0, id="a date's day"),
        pytest.param("It is off since January 30, 2026", "2026", 0, id="its year"),
        pytest.param("It is off since the 18th of January", "the 30th of", 1, id="another's"),
        pytest.param("It costs 30 euro", "30", 1, id="money is no bare figure"),
    ],
)
def test_a_dates_figure_was_said(said, figure, unsupported):
    """A summary may cut a date short: its day is not invented."""
    mine = _run("Business as usual.", said={**SAID, 1: said})
    theirs = _run(f"Figures: {figure}.", said={**SAID, 1: said}, role="candidate")
    assert compare_summary_facts(mine, theirs).counts["unsupported"] == unsupported


TEAM = "The team will {}the auditors' invoice."
PLAN = "The team {} the spring launch."


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        pytest.param(TEAM.format("not pay "), TEAM.format("pay "), id="pay"),
        pytest.param(TEAM.format("not cut "), TEAM.format("cut "), id="cut"),
        pytest.param("Do not let the vendor touch customer data.",
                     "Do let the vendor touch customer data.", id="let"),
        pytest.param("The team did not buy.", "The team did buy.", id="of two words"),
        pytest.param("It was not Bo's proposal that the board accepted.",
                     "It was Bo's proposal that the board accepted.", id="behind a name"),
        pytest.param("It was not Bo who approved the spring budget.",
                     "It was Bo who approved the spring budget.", id="behind another name"),
        pytest.param(PLAN.format("decided against postponing"), PLAN.format("will postpone"),
                     id="decided against"),
        pytest.param(PLAN.format("will not postpone"), PLAN.format("will postpone"), id="plain"),
        pytest.param(PLAN.format("ruled out postponing"), PLAN.format("plans on postponing"),
                     id="ruled out"),
    ],
)  # fmt: skip
def test_a_negation_lost_is_altered_whatever_it_negates(mine, theirs):
    """A short word, one behind a name, and one that is refused without a `not`."""
    said = {**SAID, 1: mine}
    first, second = _run(RIGHT + mine, said=said), _run(RIGHT + theirs, said=said)
    for pair in ((first, second), (second, first)):
        assert substituted(compare_summary_facts(*pair))["negations"] == 1


@pytest.mark.parametrize(
    "theirs",
    ["The team decided against postponing the spring launch.",
     "Postponing the spring launch was ruled out.", "The team ruled out postponing the launch.",
     "The board rejected postponing the spring launch.", "Postponing the launch was rejected."],
)  # fmt: skip
def test_a_refusal_is_a_negation(theirs):
    """The same meaning is not a difference."""
    mine = PLAN.format("will not postpone")
    said = {**SAID, 1: mine}
    first, second = _run(RIGHT + mine, said=said), _run(RIGHT + theirs, said=said)
    assert compare_summary_facts(first, second).errors == 0


def _turned_in(mine, theirs, said=None, heard=None, language="en"):
    """Negations altered between two runs, in either direction alike."""
    first = _run(mine, said={**SAID, 1: said or mine}, language=language)
    second = _run(theirs, said={**SAID, 1: heard or mine}, language=language)
    found = [
        substituted(compare_summary_facts(*pair))["negations"]
        for pair in ((first, second), (second, first))
    ]
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("mine", "theirs", "turned"),
    [
        pytest.param("Do not ship.", "Do ship.", 1, id="a sentence of one word"),
        pytest.param("The meeting agreed: do not ship.", "The meeting agreed: do ship.", 1,
                     id="behind a colon"),
        pytest.param("The team missed its date to deliver.", "The team delivers.", 1,
                     id="by a verb"),
        pytest.param("The team did not deliver.", "The team missed its date to deliver.", 0,
                     id="in other words"),
        pytest.param("Do not ship.", "Key points: ship.", 0, id="a key word"),
        pytest.param("Will we ship? Do not ship.", "Will we ship?", 0, id="the answer left out"),
        pytest.param("Ana will not ship the release.", "Will Ana ship the release? No.", 0,
                     id="asked, and denied"),
        pytest.param("We ship. Do not ship.", "We ship.", 0, id="what both texts say"),
        pytest.param("We will not ship the release until Friday.",
                     "We will ship the release on Friday.", 0, id="not until is at the earliest"),
        pytest.param("We will not ship the release until Friday.",
                     "We will ship the release until Friday.", 1, id="until without not"),
        pytest.param("Names: Martin Kowalski, No; open: the vote.",
                     "Names: Martin Kowalski; open: the vote.", 0, id="an entry of a list"),
        pytest.param("Nicht liefern!", "Liefern!", 1, id="German"),
        pytest.param("Das Team bezahlt die Rechnung nicht.", "Das Team bezahlt die Rechnung.", 1,
                     id="German, behind its verb"),
        pytest.param("Das Team liefert nicht.", "Das Team versäumte es zu liefern.", 0,
                     id="German, in other words"),
        pytest.param("Wir liefern die Ware nicht vor Freitag.", "Wir liefern die Ware am Freitag.",
                     0, id="German, at the earliest"),
    ],
)  # fmt: skip
def test_a_clause_whose_polarity_is_another_is_turned(mine, theirs, turned):
    """Aligned by its words; what paraphrase explains, a list or a question is not such a clause."""
    language = "de" if {"Nicht", "nicht"} & set(mine.strip(".").split()) else "en"
    assert _turned_in(mine, theirs, language=language) == turned


@pytest.mark.parametrize(
    ("said", "heard", "turned"),
    [
        pytest.param("We ship.", "We do not ship.", 1, id="each the opposite of what it heard"),
        pytest.param("We do not ship.", "We do not ship.", 1, id="heard by both"),
        pytest.param("We ship.", "We ship.", 1, id="said by nobody"),
        pytest.param("We do not ship.", "We ship.", 0, id="each writes what it heard"),
    ],
)
def test_a_negation_that_was_misheard_is_the_recognisers(said, heard, turned):
    """A summary is faithful to its own transcript, and only then is it excused."""
    assert _turned_in("Do not ship.", "Do ship.", said, heard) == turned


def _word(number):
    """A word of letters alone, for each number another that no stem makes the same."""
    return "x" + "".join(chr(ord("a") + number // 26**n % 26) for n in range(3)) + "q"


@pytest.mark.parametrize("is_one", [False, True], ids=["many deeds", "one deed"])
def test_many_negations_take_no_square_of_time(is_one):
    """Eight times the sentences, each negated on one side: far less than 64 times the time."""
    seconds = []
    for number in (250, 2000):
        deeds = ["ship" if is_one else _word(n) for n in range(number)]
        said = [f"{deed} the {_word(n + 3000)} {_word(n + 6000)}." for n, deed in enumerate(deeds)]
        mine, theirs = ("\n".join(f"{will} {one}" for one in said) for will in ("Not", "We"))
        begun = time.process_time()
        found = turned(
            {"ship", *deeds}, Text(mine, "en", frozenset()), Text(theirs, "en", frozenset())
        )
        seconds.append(time.process_time() - begun)
        assert len(found) == (1 if is_one else number)
    assert seconds[1] < 40 * seconds[0]

"""What a second legacy run, few pairs or misheard words do to a verdict, row by row."""

from __future__ import annotations

from dataclasses import replace
from math import exp, factorial

import pytest

from comparators.facts.substituted_facts import parts
from reflector_migrate.judge.compare import compare, judge
from reflector_migrate.judge.cross_run import divergences
from reflector_migrate.judge.noise import (
    MIN_PAIRS,
    Floor,
    NoiseFloors,
    excess,
    excesses_of,
    exchanged,
    floors_of,
    stratum_of,
)
from reflector_migrate.judge.threshold import MIN_EDITS
from reflector_migrate.judge.waivers import Waiver
from reflector_migrate.model import Finding, Measure, StatedFact, StepRun, Usage, Verdict
from tests.comparing import SPOKEN, STRATUM, observation, outputs_of, words_of

V = Verdict
WORDS = words_of(SPOKEN * 5)


def _run(wrong=0, role="candidate", words=WORDS, **changes):
    """A run in which the first `wrong` words were misheard."""
    heard = [
        word.model_copy(update={"text": f"hm{role[0]} "}) if n < wrong else word
        for n, word in enumerate(words)
    ]
    engine = "conductor" if role == "candidate" else "celery"
    return observation(outputs_of(heard, **changes), role=role, engine=engine)


def _floors(n, **floors):
    return NoiseFloors({(name, STRATUM): Floor(value, n) for name, value in floors.items()}, n)


def _check(found, name):
    return next(check for check in found.checks if check.name == name)


@pytest.mark.parametrize(
    ("wrong", "floors", "verdict"),
    [
        pytest.param(4, _floors(MIN_PAIRS, words=0.02), V.WITHIN_NOISE, id="within"),
        pytest.param(9, _floors(MIN_PAIRS, words=0.02), V.DIVERGED, id="enough pairs"),
        pytest.param(9, _floors(MIN_PAIRS - 1, words=0.02), V.INCONCLUSIVE, id="too few pairs"),
        pytest.param(4, _floors(MIN_PAIRS - 1, words=0.02), V.INCONCLUSIVE, id="within too few"),
        pytest.param(40, _floors(3, words=0.02), V.DIVERGED, id="four times the limit"),
        pytest.param(40, _floors(1, words=0.3), V.INCONCLUSIVE, id="one wide pair excuses nothing"),
    ],
)
def test_few_pairs_give_no_percentile(wrong, floors, verdict):
    """Of few pairs nothing is known, within their limit or beyond, unless it is far beyond."""
    found = compare(_run(role="primary"), _run(wrong), floors=floors)
    check = _check(found, "words")
    assert (check.verdict, check.rule, check.n) == (verdict, "aa-p99+margin", floors.pairs)
    assert (f"of {MIN_PAIRS} in {STRATUM}" in check.note) is (floors.pairs < MIN_PAIRS)


@pytest.mark.parametrize(
    ("wrong", "misheard", "is_repeatable", "verdict"),
    [
        pytest.param(1, 0, False, V.INCONCLUSIVE, id="one word, and legacy none by luck"),
        pytest.param(MIN_EDITS - 1, 0, False, V.INCONCLUSIVE, id="still few enough for luck"),
        pytest.param(MIN_EDITS, 0, False, V.DIVERGED, id="too many for luck"),
        pytest.param(1, 0, True, V.DIVERGED, id="one word where no answer differs by luck"),
        pytest.param(1, 1, False, V.WITHIN_NOISE, id="as many as legacy"),
    ],
)
def test_one_pair_of_a_few_words_decides_by_edits(wrong, misheard, is_repeatable, verdict):
    """A share of twenty-one words is large at once."""
    runs = [_run(n, role, words=WORDS[:21]) for n, role in (
        (0, "primary"), (misheard, "secondary"), (wrong, "candidate"))]  # fmt: skip
    found = compare(runs[0], runs[2], secondary=runs[1], is_repeatable=is_repeatable)
    for name in ("words", "speaker_words"):
        assert _check(found, name).verdict is verdict, name


def test_so_many_edits_beside_none_are_hardly_luck():
    """With k the fewest that decide: at no rate of errors has one run none, another k or more."""

    def luck(rate):
        few = sum(rate**n / factorial(n) for n in range(MIN_EDITS))
        return exp(-rate) * (1 - exp(-rate) * few)

    assert max(luck(n / 100) for n in range(1, 2000)) < 0.01


def test_few_pairs_that_are_wider_than_its_own_are_not_forgotten():
    """Legacy was seen to lie this far apart, if not on this recording."""
    runs = {"secondary": _run(0, "secondary"), "floors": _floors(2, words=0.2)}
    check = _check(compare(_run(role="primary"), _run(40), **runs), "words")
    assert (check.verdict, check.rule) == (V.INCONCLUSIVE, "own-secondary")
    del runs["floors"]
    assert _check(compare(_run(role="primary"), _run(40), **runs), "words").verdict is V.DIVERGED


@pytest.mark.parametrize(
    ("floors", "is_repeatable", "verdict"),
    [
        pytest.param(_floors(2, title=0.0), False, V.INCONCLUSIVE, id="titles agreed by luck"),
        pytest.param(_floors(2, title=0.0), True, V.DIVERGED, id="known to answer alike"),
        pytest.param(_floors(MIN_PAIRS, title=0.0, words=0.02), False, V.DIVERGED, id="enough"),
    ],
)
def test_two_titles_that_agree_say_little_of_a_third(floors, is_repeatable, verdict):
    """A text written by a model is not judged by few pairs, unless it answers alike each time."""
    other = _run(title="Something altogether different was decided here")
    found = compare(_run(role="primary"), other, floors=floors, is_repeatable=is_repeatable)
    assert _check(found, "title").verdict is verdict


MARCH = "Ana and Bob agreed to ship on Friday; the audit costs 1200 euro and {}."
UNSAID = {"short_summary": MARCH.format("77 people came")}
SAID = {"short_summary": MARCH.format("ten percent more")}
KNOWN = {"summary_facts": 0.5, "summary_facts/invented": 0.5}


@pytest.mark.parametrize(
    ("wrong", "outputs", "floors", "verdict", "rule"),
    [
        pytest.param(0, UNSAID, None, V.INCONCLUSIVE, "no-floor", id="equal words, other answers"),
        pytest.param(3, SAID, None, V.INCONCLUSIVE, "no-floor", id="misheard words, no floor"),
        pytest.param(
            3, SAID, _floors(40, **KNOWN), V.WITHIN_NOISE, "aa-p99+margin", id="like legacy",
        ),
        pytest.param(
            3, SAID, _floors(40, **{**KNOWN, "summary_facts": 0.0}), V.DIVERGED, "aa-p99+margin",
            id="legacy never differs in facts",
        ),
        pytest.param(
            3, UNSAID, _floors(40, **{**KNOWN, "summary_facts/invented": 0.0}), V.DIVERGED,
            "aa-p99+margin", id="legacy never invents",
        ),
        pytest.param(
            3, SAID, _floors(40, **{**KNOWN, "summary_facts": 1.0}), V.INCONCLUSIVE,
            "floor-too-wide", id="legacy was once seen to share no fact with itself",
        ),
    ],
)  # fmt: skip
def test_facts_follow_words_and_answers(wrong, outputs, floors, verdict, rule):
    """Held against what legacy does, inventions apart; nothing is known without a floor."""
    found = compare(_run(role="primary"), _run(wrong, **outputs), floors=floors)
    check = _check(found, "summary_facts")
    assert (check.verdict, check.rule) == (verdict, rule), check


@pytest.mark.parametrize(
    ("wrong", "is_repeatable", "digests", "verdict"),
    [
        pytest.param(0, True, ("a", "b"), V.DIVERGED, id="answers replayed"),
        pytest.param(1, True, ("a", "b"), V.INCONCLUSIVE, id="but a word was heard otherwise"),
        pytest.param(0, False, ("a", "a"), V.DIVERGED, id="the step gave the same"),
        pytest.param(1, False, ("a", "a"), V.INCONCLUSIVE, id="of other words"),
        pytest.param(0, False, ("a", "b"), V.INCONCLUSIVE, id="the model answered otherwise"),
        pytest.param(0, False, (None, None), V.INCONCLUSIVE, id="nobody knows what it answered"),
    ],
)
def test_facts_are_exact_where_nothing_before_them_differs(wrong, is_repeatable, digests, verdict):
    """Words equal, and the answers by replay or as recorded: then no noise is left to excuse it."""
    runs = [
        run.model_copy(update={"steps": (StepRun(name="generate_summary", output_digest=digest),)})
        for run, digest in zip((_run(role="primary"), _run(wrong, **SAID)), digests, strict=True)
    ]
    check = _check(compare(*runs, is_repeatable=is_repeatable), "summary_facts")
    rule = "exact" if verdict is V.DIVERGED else "no-floor"
    assert (check.verdict, check.rule) == (verdict, rule), check


WIDE = 0.75
MEETING = "The audit costs 1200 euro. It is not before the tenth of March, and Ana is for it."
ALTERED = {
    "figures": "The audit costs 1300 euro. It is not before the tenth of March, and Ana is for it.",
    "dates": "The audit costs 1200 euro. It is not before the ninth of March, and Ana is for it.",
    "negations": "The audit costs 1200 euro. It is before the tenth of March, and Ana is for it.",
    "people": "The audit costs 1200 euro. It is not before the tenth of March, and Bob is for it.",
}


@pytest.mark.parametrize("group", ALTERED)
def test_an_altered_fact_is_seen_under_a_wide_floor(group):
    """Legacy leaves three facts in four out, and is never seen to write down another one."""
    floors = {"summary_facts": WIDE, "summary_facts/invented": WIDE}
    never = {f"summary_facts/altered {name}": 0.0 for name in ALTERED}
    primary = _run(role="primary", short_summary=MEETING, long_summary=None)
    candidate = _run(3, short_summary=ALTERED[group], long_summary=None)
    found = compare(primary, candidate, floors=_floors(MIN_PAIRS, **floors, **never))
    check = _check(found, "summary_facts")
    assert check.verdict is V.DIVERGED, check
    assert f"altered {group}: 1 of" in check.note
    assert (check.floor, check.limit) == (0, 0)
    assert check.value


@pytest.mark.parametrize(
    ("mine", "theirs", "is_invented"),
    [
        pytest.param(MEETING, f"{MEETING} 77 people came.", True, id="the candidate's own"),
        pytest.param(f"{MEETING} 77 people came.", MEETING, False, id="legacy's, left out"),
        pytest.param(MEETING, f"{MEETING} It is ten percent more.", False, id="said, and added"),
        pytest.param(MEETING, MEETING.replace("1200 euro", "much"), False, id="said, left out"),
    ],
)
def test_only_what_the_candidate_made_up_is_invented(mine, theirs, is_invented):
    """Held against legacy's inventions, of which there are none; all else is within its floor."""
    never = {"summary_facts/invented": 0.0}
    never |= {f"summary_facts/altered {name}": WIDE for name in ALTERED}
    primary = _run(role="primary", short_summary=mine, long_summary=None)
    candidate = _run(3, short_summary=theirs, long_summary=None)
    floors = _floors(MIN_PAIRS, summary_facts=WIDE, **never)
    check = _check(compare(primary, candidate, floors=floors), "summary_facts")
    assert check.measure.errors, "the texts state different facts"
    assert check.verdict is (V.DIVERGED if is_invented else V.WITHIN_NOISE), check
    assert check.note.startswith("invented: 1 of") is is_invented
    waiver = Waiver(path="summary_facts/number/extra", reason="known", owner="an owner")
    found = compare(primary, candidate, floors=floors, waivers=[waiver])
    assert _check(found, "summary_facts").verdict is not V.DIVERGED


@pytest.mark.parametrize(
    ("side", "fact", "is_said", "waiver", "expected"),
    [
        pytest.param("extra", "number", False, "", 1, id="was never said"),
        pytest.param("extra", "number", True, "", 0, id="somebody did"),
        pytest.param("missing", "number", False, "", 0, id="legacy's own"),
        pytest.param("extra", "number", False, "known (an owner)", 0, id="waived"),
        pytest.param("extra", "attribution", False, "", 0, id="said, by another"),
    ],
)
def test_what_is_invented(side, fact, is_said, waiver, expected):
    """An unwaived fact of the candidate alone that its own transcript does not hold."""
    stated = StatedFact(kind=fact, value="x", is_said=is_said)
    found = Finding(path="summary_facts/x", kind=side, waiver=waiver, fact=stated)
    measure = Measure(name="summary_facts", kind="exact", errors=1, length=3, findings=(found,))
    (invented,) = (p for p in parts(measure) if p.name == "summary_facts/invented")
    assert invented.counts["standing"] == expected


def test_a_part_that_older_pairs_did_not_measure_has_no_floor():
    """Enough pairs of the whole, none of what is newer: by name, with a way out; no match."""
    older = _floors(MIN_PAIRS, **{"summary_facts": WIDE, "summary_facts/invented": WIDE})
    primary = _run(role="primary", short_summary=MEETING, long_summary=None)
    candidate = _run(3, short_summary=ALTERED["negations"], long_summary=None)
    check = _check(compare(primary, candidate, floors=older), "summary_facts")
    assert (check.verdict, check.rule, check.n) == (V.INCONCLUSIVE, "no-floor", 0)
    assert check.note.startswith("altered negations")
    assert check.note.endswith("`migrate compare RECORDING --secondary` in a sandbox makes one")
    again = _run(5, "secondary", short_summary=MEETING, long_summary=None)
    found = _check(compare(primary, candidate, floors=older, secondary=again), "summary_facts")
    assert (found.verdict, found.rule) == (V.INCONCLUSIVE, "own-secondary"), "one pair, one flip"


@pytest.mark.parametrize(
    ("mine", "theirs", "verdict"),
    [
        ("Do not ship. Ana is for it.", "Do ship. Ana is for it.", V.DIVERGED),
        ("Ana did not deliver.", "Ana missed the date to deliver.", V.MATCHED),
    ],
)
def test_a_turned_sentence_lies_beyond_a_wide_floor(mine, theirs, verdict):
    """Legacy differs in every other fact and never turned a clause; the same said otherwise may."""
    wide = {"summary_facts": WIDE, "summary_facts/invented": WIDE}
    never = {f"summary_facts/altered {name}": 0.0 for name in ALTERED}
    primary = _run(role="primary", short_summary=mine, long_summary=None)
    candidate = _run(3, short_summary=theirs, long_summary=None)
    found = compare(primary, candidate, floors=_floors(MIN_PAIRS, **wide, **never))
    assert _check(found, "summary_facts").verdict is verdict


def test_a_misheard_fact_is_not_an_altered_one():
    """What was heard otherwise stands otherwise in the summary: that is the recogniser's noise."""
    primary = _run(role="primary", short_summary=MEETING, long_summary=None)
    heard = [w.model_copy(update={"text": "1300 "}) if w.text == "1200 " else w for w in WORDS]
    candidate = _run(words=heard, short_summary=ALTERED["figures"], long_summary=None)
    assert divergences(primary, candidate)["summary_facts/altered figures"] == 0
    assert divergences(primary, candidate)["summary_facts"] > 0


def test_a_fact_left_out_is_not_an_altered_one():
    """Another choice of sentences is the model's noise, in either direction."""
    whole = _run(role="primary", short_summary=MEETING, long_summary=None)
    short = _run(short_summary="Ana is for the audit.", long_summary=None)
    for pair in ((whole, short), (short, whole)):
        found = divergences(*pair)
        assert [found[f"summary_facts/altered {name}"] for name in ALTERED] == [0, 0, 0, 0]
        assert found["summary_facts"] == 0.75


def test_each_check_shows_all_distances():
    """d(L1, L2), d(L2, C), x and, with a second candidate run, the shift; calculated manually."""
    l1, l2, c, c2 = _run(0, "primary"), _run(5, "secondary"), _run(8), _run(8)
    check = _check(compare(l1, c, secondary=l2, earlier=c2), "words")
    length = check.measure.length
    assert check.between_legacy == pytest.approx(5 / length)
    assert check.from_secondary == pytest.approx(8 / length)
    assert check.excess == pytest.approx((8 + 8) / 2 / length - 5 / length)
    assert check.shift == pytest.approx((2 * 8 - 5 - 0) / length)
    assert check.rule == "own-secondary"
    assert "own A/A pair" in check.note
    assert _check(compare(l1, c, secondary=l2), "words").shift is None


def _noise(n, words, excess):
    """Floors in which pairs lie that far apart, and noise makes that excess, n recordings each."""
    known = {("words", STRATUM): Floor(excess, n)}
    return replace(_floors(n, words=words), excesses=known)


@pytest.mark.parametrize(
    ("second", "wrong", "floors", "verdict", "rule"),
    [
        pytest.param(
            30, 32, _noise(MIN_PAIRS, 0.02, 0.02), V.WITHIN_NOISE, "excess-p99+margin",
            id="a recording on which legacy errs as much",
        ),
        pytest.param(
            2, 30, _noise(MIN_PAIRS, 0.3, 0.02), V.DIVERGED, "excess-p99+margin",
            id="a clear recording among noisy ones",
        ),
        pytest.param(
            10, 24, _noise(MIN_PAIRS - 1, 0.02, 0.02), V.INCONCLUSIVE, "own-secondary",
            id="too few recordings to know",
        ),
        pytest.param(
            2, 30, _noise(MIN_PAIRS, 0.3, 1.0), V.INCONCLUSIVE, "floor-too-wide",
            id="noise that excludes nothing",
        ),
    ],
)  # fmt: skip
def test_a_recording_is_judged_by_its_own_pair(second, wrong, floors, verdict, rule):
    """By what it exceeds its own pair by, however far other recordings' pairs lie apart."""
    runs = {"secondary": _run(second, "secondary"), "floors": floors}
    check = _check(compare(_run(0, "primary"), _run(wrong), **runs), "words")
    assert (check.verdict, check.rule) == (verdict, rule)
    if rule == "excess-p99+margin":
        assert (check.value <= check.limit) is (verdict is V.WITHIN_NOISE)
        assert check.n == MIN_PAIRS
        assert check.limit - check.value == pytest.approx(0.02 + 0.01 - check.excess)


def test_what_either_legacy_run_would_exceed_the_others_by():
    """The three excesses sum to 0, so that a worse candidate makes the other two smaller."""
    assert exchanged(0.3, 0.5, 0.2) == pytest.approx(((0.2 + 0.3) / 2 - 0.5, (0.2 + 0.5) / 2 - 0.3))
    assert sum(exchanged(0.3, 0.5, 0.2)) == pytest.approx(-excess(0.3, 0.5, 0.2))
    found = judge(_run(0, "primary"), _run(9), secondary=_run(4, "secondary"))
    measures = [check.measure for check in found.comparison.checks if check.measure]
    of_words = found.repeats.exchanged(measures)["words"]
    check = _check(found.comparison, "words")
    assert of_words == exchanged(check.value, check.from_secondary, check.between_legacy)
    assert "summary_facts/invented" in found.repeats.exchanged(measures)
    floors = excesses_of([("s", {"words": of_words}), ("s", {"words": (0.02, -0.05)})])
    assert floors["words", "s"] == Floor(0.02, 2)


def test_a_worse_candidate_does_not_push_the_limit_below_no_excess():
    """Where nearly all of its recordings are worse, one without any excess is still within."""
    floors = excesses_of([(STRATUM, {"words": (-0.4, -0.3)})] * MIN_PAIRS)
    assert floors["words", STRATUM] == Floor(0.0, MIN_PAIRS)
    runs = {"secondary": _run(4, "secondary"), "floors": replace(_floors(40), excesses=floors)}
    check = _check(compare(_run(0, "primary"), _run(4), **runs), "words")
    assert (check.verdict, check.rule) == (V.WITHIN_NOISE, "excess-p99+margin")


def test_a_candidate_that_repeats_cached_answers_shows_no_shift():
    """Answers from a cache are not a second draw."""
    cached = StepRun(name="transcribe_track", usage=Usage(cache_hits=1))
    again = _run(8).model_copy(update={"steps": (cached,)})
    found = compare(_run(0, "primary"), again, secondary=_run(5, "secondary"), earlier=_run(8))
    assert _check(found, "words").shift is None


@pytest.mark.parametrize("status", ["failed", "running", "missing"])
def test_a_secondary_that_did_not_complete_is_not_a_floor(status):
    """Half a run cannot be a standard."""
    second = _run(5, "secondary").model_copy(update={"status": status})
    check = _check(compare(_run(0, "primary"), _run(8), secondary=second), "words")
    assert (check.verdict, check.rule) == (V.INCONCLUSIVE, "no-floor")
    assert (check.between_legacy, check.excess) == (None, None)


def test_what_a_pair_leaves_is_what_floors_are_made_of():
    """Every measure that can enter a verdict, and inventions beside the facts."""
    found = divergences(_run(0, "primary"), _run(5, "secondary"))
    assert {"words", "title", "summary_facts", "summary_facts/invented", "row"} <= set(found)
    assert not {"timings", "cost"} & set(found)
    floors = floors_of([(stratum_of(_run()), found)] * MIN_PAIRS)
    verdict = _check(compare(_run(0, "primary"), _run(5), floors=floors), "words").verdict
    assert verdict is V.WITHIN_NOISE

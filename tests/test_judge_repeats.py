"""What a second legacy run, few pairs or misheard words do to a verdict, row by row."""

from __future__ import annotations

import pytest

from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.noise import MIN_PAIRS, Floor, NoiseFloors, floors_of, stratum_of
from reflector_migrate.judge.repeats import INVENTED, divergences
from reflector_migrate.model import StepRun, Usage, Verdict
from tests.comparing import SPOKEN, observation, outputs_of, words_of

V = Verdict
WORDS = words_of(SPOKEN * 5)


def _run(wrong=0, role="candidate", **changes):
    """A run in which the first `wrong` words were misheard."""
    heard = [
        word.model_copy(update={"text": f"hm{role[0]} "}) if n < wrong else word
        for n, word in enumerate(WORDS)
    ]
    engine = "conductor" if role == "candidate" else "celery"
    return observation(outputs_of(heard, **changes), role=role, engine=engine)


def _floors(n, **floors):
    return NoiseFloors({(name, "*"): Floor(value, n) for name, value in floors.items()}, n)


def _check(found, name):
    return next(check for check in found.checks if check.name == name)


@pytest.mark.parametrize(
    ("wrong", "floors", "verdict"),
    [
        pytest.param(4, _floors(MIN_PAIRS, words=0.02), V.WITHIN_NOISE, id="within"),
        pytest.param(9, _floors(MIN_PAIRS, words=0.02), V.DIVERGED, id="enough pairs"),
        pytest.param(9, _floors(MIN_PAIRS - 1, words=0.02), V.INCONCLUSIVE, id="too few pairs"),
        pytest.param(40, _floors(3, words=0.02), V.DIVERGED, id="four times the limit"),
    ],
)
def test_few_pairs_are_no_percentile(wrong, floors, verdict):
    """Beyond the limit of few pairs nothing is known, unless it is far beyond."""
    found = compare(_run(role="primary"), _run(wrong), floors=floors)
    check = _check(found, "words")
    assert (check.verdict, check.rule, check.n) == (verdict, "aa-p99+margin", floors.pairs)
    assert (f"of {MIN_PAIRS}" in check.note) is (floors.pairs < MIN_PAIRS)


@pytest.mark.parametrize(
    ("floors", "verdict"),
    [
        pytest.param(_floors(2, title=0.0), V.DIVERGED, id="legacy was never seen to differ"),
        pytest.param(_floors(2, title=0.0, words=0.02), V.INCONCLUSIVE, id="titles agreed by luck"),
        pytest.param(_floors(MIN_PAIRS, title=0.0, words=0.02), V.DIVERGED, id="enough pairs"),
    ],
)
def test_two_titles_that_agree_say_little_of_a_third(floors, verdict):
    """A text written by a model is not judged by few pairs of a legacy that has noise."""
    other = _run(title="Something altogether different was decided here")
    assert _check(compare(_run(role="primary"), other, floors=floors), "title").verdict is verdict


MARCH = "Ana and Bob agreed to ship on Friday; the audit costs 1200 euro and {}."
UNSAID = {"short_summary": MARCH.format("77 people came")}
SAID = {"short_summary": MARCH.format("ten percent more")}
KNOWN = {"summary_facts": 0.5, f"summary_facts{INVENTED}": 0.5}


@pytest.mark.parametrize(
    ("wrong", "outputs", "floors", "verdict", "rule"),
    [
        pytest.param(0, UNSAID, None, V.DIVERGED, "exact", id="all words equal: exact"),
        pytest.param(0, SAID, None, V.DIVERGED, "exact", id="also of what was said"),
        pytest.param(3, SAID, None, V.INCONCLUSIVE, "no-floor", id="misheard words, no floor"),
        pytest.param(
            3, SAID, _floors(40, **KNOWN), V.WITHIN_NOISE, "aa-p99+margin", id="like legacy",
        ),
        pytest.param(
            3, SAID, _floors(40, **{**KNOWN, "summary_facts": 0.0}), V.DIVERGED, "aa-p99+margin",
            id="legacy never differs in facts",
        ),
        pytest.param(
            3, UNSAID, _floors(40, **{**KNOWN, f"summary_facts{INVENTED}": 0.0}), V.DIVERGED,
            "aa-p99+margin", id="legacy never invents",
        ),
    ],
)  # fmt: skip
def test_facts_follow_the_words(wrong, outputs, floors, verdict, rule):
    """Exact while all words agree; else held against what legacy does, inventions apart."""
    found = compare(_run(role="primary"), _run(wrong, **outputs), floors=floors)
    check = _check(found, "summary_facts")
    assert (check.verdict, check.rule) == (verdict, rule), check


def test_each_check_shows_all_distances():
    """d(L1, L2), d(L2, C), x and, with a second candidate run, the shift; measured by hand."""
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


def test_a_candidate_that_repeats_cached_answers_shows_no_shift():
    """Answers from a cache are no second draw."""
    cached = StepRun(name="transcribe_track", usage=Usage(cache_hits=1))
    again = _run(8).model_copy(update={"steps": (cached,)})
    found = compare(_run(0, "primary"), again, secondary=_run(5, "secondary"), earlier=_run(8))
    assert _check(found, "words").shift is None


@pytest.mark.parametrize("status", ["failed", "running", "missing"])
def test_a_secondary_that_did_not_complete_is_no_floor(status):
    """Half a run is no yardstick."""
    second = _run(5, "secondary").model_copy(update={"status": status})
    check = _check(compare(_run(0, "primary"), _run(8), secondary=second), "words")
    assert (check.verdict, check.rule) == (V.INCONCLUSIVE, "no-floor")
    assert (check.between_legacy, check.excess) == (None, None)


def test_what_a_pair_leaves_is_what_floors_are_made_of():
    """Every measure that can enter a verdict, and inventions beside the facts."""
    found = divergences(_run(0, "primary"), _run(5, "secondary"))
    assert {"words", "title", "summary_facts", f"summary_facts{INVENTED}", "row"} <= set(found)
    assert not {"timings", "cost"} & set(found)
    floors = floors_of([(stratum_of(_run()), found)] * MIN_PAIRS)
    verdict = _check(compare(_run(0, "primary"), _run(5), floors=floors), "words").verdict
    assert verdict is V.WITHIN_NOISE
    assert not floors.is_quiet

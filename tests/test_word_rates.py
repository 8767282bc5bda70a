"""Published word error rates: jiwer's, from our counts; and the alignment that `explain` shows."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparators.registry import by_name
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.explanation import explanation_of
from reflector_migrate.judge.word_rates import word_rates
from reflector_migrate.model import Measure, Turn
from reports.alignment import aligned
from tests.comparing import observation, outputs_of, said

pytestmark = pytest.mark.heavy

TEXT = st.lists(st.sampled_from(["ship", "audit", "budget", "launch"]), min_size=1, max_size=12)


@given(TEXT, TEXT)
@settings(deadline=None, max_examples=100)
def test_rates_equal_jiwers(reference, hypothesis):
    """WER both ways on any words; MER and WIL of the same counts."""
    texts = " ".join(reference), " ".join(hypothesis)
    rates = word_rates(by_name("words").compare(said(texts[0]), said(texts[1])))
    peer = jiwer.process_words(*texts)
    assert rates.wer == pytest.approx(peer.wer)
    assert rates.wer_reversed == pytest.approx(jiwer.wer(texts[1], texts[0]))
    if (rates.hits, rates.substitutions) == (peer.hits, peer.substitutions):
        assert rates.mer == pytest.approx(peer.mer)
        assert rates.wil == pytest.approx(peer.wil)


def test_a_rate_over_no_words_is_unknown():
    """Neither 0 nor 1: nothing was said, or only one side heard something."""
    counts = {"hits": 0, "substitutions": 0, "deletions": 0, "insertions": 2}
    rates = word_rates(Measure(name="words", kind="graded", counts=counts))
    assert (rates.wer, rates.wer_reversed, rates.mer, rates.wil) == (None, 1, 1, None)
    assert word_rates(Measure(name="title", kind="graded")) is None
    assert word_rates(None) is None


def test_a_turn_is_shown_word_under_word():
    """A replaced, a lost and an added word, each marked; equal words alone give no lines."""
    turn = Turn(
        at_s=1, speaker=0, reference_text="the cat sat on", hypothesis_text="the a cat sits"
    )
    ref, hyp, marks = aligned(turn)
    assert ref.split() == ["REF:", "the", "*", "cat", "sat", "on"]
    assert hyp.split() == ["HYP:", "the", "a", "cat", "sits", "**"]
    assert marks.split() == ["I", "S", "D"]
    assert aligned(turn.model_copy(update={"hypothesis_text": turn.reference_text})) == []


def test_an_explanation_of_words_has_rates_and_turns():
    """Of checks that count words; the others leave the turns out."""
    words = outputs_of().words
    found = compare(observation(), observation(outputs_of(words[:-10])))
    by = {check.name: check for check in found.checks}
    told = explanation_of(found, "rec", (by["words"], by["title"]))
    assert set(told.word_rates) == {"words"}
    assert told.word_rates["words"].deletions == by["words"].measure.counts["deletions"] > 0
    assert told.turns == found.turns != ()
    assert explanation_of(found, "rec", (by["title"],)).turns == ()

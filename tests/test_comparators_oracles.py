"""Ours equals what established tools answer: committed tables, and live where installed."""

from __future__ import annotations

import importlib.util
import json
import random
import re
from itertools import accumulate
from pathlib import Path

import jiwer
import pytest
from sacrebleu.metrics import CHRF

from comparators.alignment import text_overlap
from comparators.alignment.cpwer import best_permutation
from comparators.alignment.distance import blocks, count, distance, encode
from comparators.alignment.tcpwer import constrained_edits
from comparators.alignment.transcript_pair import Transcripts
from comparators.topic_boundaries import boundary_edits, window_size, windowed
from reflector_migrate.model import Outputs, Word
from tests.comparing import observation


def needs(name):
    """Outside the locks: it takes a compiler or a decade-old installer; the tables stand for it."""
    missing = importlib.util.find_spec(name) is None
    return pytest.mark.skipif(missing, reason=f"{name} not installed; its table is compared")


ORACLES = Path(__file__).parents[1] / "fixtures" / "oracles"
SENTENCE = "we ship. on (Friday) not, the a! ü x1 'q' -- . ok"
VOCABULARY = SENTENCE.split()


def _table(name):
    return json.loads((ORACLES / f"{name}.json").read_text(encoding="utf-8"))


def _texts(seed, n, longest=14):
    rng = random.Random(seed)
    for _ in range(n):
        yield tuple(" ".join(rng.choices(VOCABULARY, k=rng.randint(1, longest))) for _ in range(2))


def _cp(reference, hypothesis):
    codes = encode(*[text.split() for text in (*reference, *hypothesis)])
    return best_permutation(codes[: len(reference)], codes[len(reference) :]).edits


def test_cpwer_equals_the_table_of_meeteval():
    """Equal, fewer and more speakers, empty and swapped ones: the same error counts."""
    table = _table("cpwer")
    assert len(table) > 100
    wrong = [e for e in table if _cp(e["reference"], e["hypothesis"]) != e["errors"]]
    assert wrong == []


def _tcp(entry):
    """Through observations, as word_times does it; the words are their own normal form."""
    a, b = (
        observation(Outputs(words=tuple(
            Word(text=w, start=start, end=end, speaker=speaker)
            for speaker, words in enumerate(entry[side]) for w, start, end in words
        )), language="xx")
        for side in ("reference", "hypothesis")
    )  # fmt: skip
    return constrained_edits(Transcripts().words(a, b), entry["collar"])


def test_tcpwer_equals_the_table_of_meeteval():
    """Late tracks, swapped speakers, overlapping words, three collars: the same error counts."""
    table = _table("tcpwer")
    assert len(table) > 100
    assert [e for e in table if _tcp(e) != e["errors"]] == []


@needs("meeteval")
def test_cpwer_equals_meeteval_live():
    """The installed meeteval agrees with its own table and with us."""
    import meeteval

    for entry in _table("cpwer")[:20]:
        live = meeteval.wer.cp_word_error_rate(
            reference=entry["reference"], hypothesis=entry["hypothesis"]
        )
        assert live.errors == _cp(entry["reference"], entry["hypothesis"])


@needs("segeval")
def test_segmentation_equals_segeval_live():
    """The installed segeval agrees with its own table."""
    import segeval

    for entry in _table("segmentation"):
        pair = tuple(entry["hypothesis"]), tuple(entry["reference"])
        live = 1 - segeval.boundary_similarity(*pair, n_t=entry["n_t"])
        assert float(live) == pytest.approx(entry["divergence"])
        assert float(segeval.window_diff(*pair)) == pytest.approx(entry["windowdiff"])


def _boundaries(masses):
    return set(accumulate(masses[:-1]))


@pytest.mark.parametrize("entry", _table("segmentation")[::3], ids=lambda e: str(e["reference"]))
def test_segmentation_equals_the_table_of_segeval(entry):
    """1 - B, WindowDiff and Pk on random cuts at several tolerances."""
    reference, hypothesis = _boundaries(entry["reference"]), _boundaries(entry["hypothesis"])
    units = sum(entry["reference"])
    edits = boundary_edits(reference, hypothesis, entry["n_t"])
    wrong, probes, windows = windowed(reference, hypothesis, units, window_size(reference, units))
    assert edits.errors(entry["n_t"]) / edits.length == pytest.approx(entry["divergence"])
    assert wrong / windows == pytest.approx(entry["windowdiff"])
    assert probes / windows == pytest.approx(entry["pk"])


def _rouge_tokens(text):
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).split()


def test_rouge_equals_the_table_and_the_library():
    """ROUGE-1 and ROUGE-L over rouge-score's own tokens."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rougeL"])
    for entry in _table("rouge"):
        sides = _rouge_tokens(entry["reference"]), _rouge_tokens(entry["hypothesis"])
        live = scorer.score(entry["reference"], entry["hypothesis"])
        assert text_overlap.rouge_1(*sides) == pytest.approx(entry["rouge_1"])
        assert text_overlap.rouge_l(*sides) == pytest.approx(entry["rouge_l"])
        assert live["rougeL"].fmeasure == pytest.approx(entry["rouge_l"])


def test_chrf_equals_sacrebleu():
    """chrF++ of sentences, punctuation and non-ASCII included."""
    metric = CHRF(word_order=2)
    for reference, hypothesis in [*_texts(3, 300), ("", "a"), ("a", ""), ("x", "x"), ("ü.", "ü")]:
        expected = metric.sentence_score(hypothesis, [reference]).score
        back = metric.sentence_score(reference, [hypothesis]).score
        both = text_overlap.chrf_both_ways(reference, hypothesis)
        assert both == pytest.approx((expected + back) / 2)


def test_distance_equals_jiwer():
    """Edits, and hits of an alignment, on random texts."""
    for reference, hypothesis in _texts(4, 200, 40):
        theirs = jiwer.process_words(reference, hypothesis)
        codes = encode(reference.split(), hypothesis.split())
        counted = count(blocks(*codes))
        edits = theirs.substitutions + theirs.deletions + theirs.insertions
        assert distance(*codes) == counted.total == edits
        assert counted.hits + counted.substitutions + counted.deletions == len(codes[0])
        assert counted.hits + counted.substitutions + counted.insertions == len(codes[1])


def test_distance_is_exact_however_wrong_the_hint():
    """Long texts that share every word but no order: the bag bound says 0, the truth is far."""
    rng = random.Random(5)
    words = [str(n % 300) for n in range(3000)]
    shuffled = words[:]
    rng.shuffle(shuffled)
    theirs = jiwer.process_words(" ".join(words), " ".join(shuffled))
    edits = theirs.substitutions + theirs.deletions + theirs.insertions
    assert distance(*encode(words, shuffled)) == edits > 1000

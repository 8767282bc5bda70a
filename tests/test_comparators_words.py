"""Words: symmetric, bounded, exact, and blind to nothing a reader would notice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparators.alignment.cpwer import best_permutation
from comparators.alignment.distance import bag_bound, blocks, count, distance, encode
from comparators.alignment.speaker_alignment import attribute
from comparators.registry import MEASURES, by_name
from comparators.word_times import slope
from reflector_migrate.model import Measure, Outputs, Word
from tests.comparing import SPOKEN, observation, outputs_of, said, words_of

settings.register_profile("no deadline", deadline=None)  # the first one may import scipy
settings.load_profile("no deadline")

TOKENS = st.lists(st.sampled_from(list("abcde")), max_size=25)
SPEAKERS = st.lists(TOKENS, min_size=1, max_size=5)


@given(TOKENS, TOKENS)
def test_distance_is_a_bounded_symmetric_measure(a, b):
    """Zero on itself, the same both ways, never under the bag bound nor over the longer side."""
    x, y = encode(a, b)
    assert distance(x, x) == 0
    assert distance(x, y) == distance(y, x) == count(blocks(x, y)).total
    assert bag_bound(x, y) <= distance(x, y) <= max(len(a), len(b))


@given(TOKENS, TOKENS, TOKENS)
def test_raw_edits_keep_the_triangle(a, b, c):
    """No detour is shorter than the way itself."""
    x, y, z = encode(a, b, c)
    assert distance(x, z) <= distance(x, y) + distance(y, z)


@given(TOKENS, TOKENS, TOKENS, TOKENS)
def test_counts_add_where_no_alignment_can_cross_the_joint(a, b, c, d):
    """Two recordings counted together are the sum of both, a fence of unique words between them."""
    fence = [f"fence {n}" for n in range(60)]
    together = distance(*encode([*a, *fence, *c], [*b, *fence, *d]))
    assert together == distance(*encode(a, b)) + distance(*encode(c, d))


@given(SPEAKERS, st.randoms())
def test_the_best_permutation_ignores_the_order_of_speakers(speakers, rng):
    """cpWER of shuffled speakers is 0; that is why it is never gated alone."""
    codes = encode(*speakers)
    shuffled = codes[:]
    rng.shuffle(shuffled)
    assert best_permutation(codes, shuffled).edits == 0


@given(SPEAKERS, SPEAKERS)
@settings(max_examples=60)
def test_the_given_mapping_never_beats_the_best_one(reference, hypothesis):
    """Fixed edits are at least the best permutation's."""
    codes = encode(*reference, *hypothesis)
    mine = dict(enumerate(codes[: len(reference)]))
    theirs = dict(enumerate(codes[len(reference) :]))
    found = attribute(mine, theirs)
    assert sum(found.fixed.values()) >= found.best_edits


@pytest.mark.parametrize("comparator", list(MEASURES), ids=lambda c: c.name)
def test_identity_gives_zero(comparator):
    """A run compared with itself has no error and no finding, whatever the measure."""
    run = observation()
    measure = comparator.compare(run, run.model_copy(deep=True))
    assert (measure.name, measure.errors, measure.findings) == (comparator.name, 0, ())


@pytest.mark.parametrize("comparator", list(MEASURES), ids=lambda c: c.name)
@pytest.mark.parametrize("sides", ["neither", "reference", "hypothesis"])
def test_empty_and_one_sided_inputs_have_an_answer(comparator, sides):
    """Nothing on both sides has no rate; something on one side only is never a match at rate 0."""
    empty = observation(Outputs(), events=(), effects=(), language=None)
    full = observation()
    reference = full if sides == "reference" else empty
    hypothesis = full if sides == "hypothesis" else empty
    measure = comparator.compare(reference, hypothesis)
    assert 0 <= measure.errors <= max(measure.length, 0)
    assert measure.divergence is None or 0 <= measure.divergence <= 1
    if sides == "neither":
        assert measure.errors == 0
        assert measure.kind == "informational" or measure.divergence in {None, 0}


SYMMETRIC = ["words", "words_raw", "speaker_words", "topic_boundaries", "title", "long_summary"]


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_measures_do_not_mind_the_order_of_sides(name):
    """Divergence is the same both ways, though S, D and I are not."""
    a = observation()
    b = observation(outputs_of(words_of(SPOKEN[1:]), title="Other", long_summary="Ship it.\n"))
    compare = by_name(name).compare
    assert compare(a, b).divergence == pytest.approx(compare(b, a).divergence)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "edits", "length"),
    [
        pytest.param("", "", 0, 0, id="nothing on both sides"),
        pytest.param("", "a b", 2, 2, id="words out of nothing"),
        pytest.param("a b", "", 2, 2, id="all lost"),
        pytest.param("a b c d", "a b", 2, 4, id="half lost"),
        pytest.param("a b", "a b c d", 2, 4, id="twice as many: 1.0 as WER, 0.5 as disagreement"),
        pytest.param("Ten, people!", "10 people", 0, 2, id="numerals, casing, punctuation"),
        pytest.param("don’t", "don't", 0, 1, id="apostrophes"),
        pytest.param("e\u0301te\u0301", "\u00e9t\u00e9", 0, 1, id="Unicode forms"),
    ],
)
def test_words_are_counted_over_the_longer_side(reference, hypothesis, edits, length):
    """Disagreement is edits over the longer side; an empty pair has no rate."""
    measure = by_name("words").compare(said(reference), said(hypothesis))
    assert (measure.errors, measure.length) == (edits, length)
    assert measure.divergence == (edits / length if length else None)
    counts = measure.counts
    assert counts["substitutions"] + counts["deletions"] + counts["insertions"] == edits
    assert counts["net_lost"] == counts["reference_words"] - counts["hypothesis_words"]


def test_lost_casing_and_punctuation_show_in_the_raw_words_only():
    """A candidate that renormalises words is not equal, though it says the same."""
    a, b = said("We ship on Friday, says Ana."), said("we ship on friday says ana")
    assert by_name("words").compare(a, b).errors == 0
    assert by_name("words_raw").compare(a, b).errors == 3


def test_the_longest_lost_span_is_followed_per_speaker():
    """One speaker's lost seconds are one span, though another one talks in between."""
    words = [
        Word(
            text=f"{'abcdefghij'[n]}{speaker}", start=n + speaker / 2, end=n + 0.4, speaker=speaker
        )
        for n in range(10)
        for speaker in (0, 1)
    ]
    kept = [w for w in words if not (w.speaker == 1 and 3 <= w.start < 8)]
    measure = by_name("words").compare(
        observation(outputs_of(words)), observation(outputs_of(kept))
    )
    assert measure.stats["longest_lost_words"] == 5
    assert measure.stats["longest_lost_at_s"] == 3.5


def test_swapped_speakers_are_seen_by_the_given_mapping_alone():
    """cpWER is blind to two people's names swapped; the mapping and its exact check are not."""
    a = observation()
    swapped = [w.model_copy(update={"speaker": 1 - w.speaker}) for w in a.outputs.words]
    b = observation(outputs_of(swapped))
    speaker_words = by_name("speaker_words").compare(a, b)
    assert speaker_words.counts["cp_edits"] == 0
    assert speaker_words.counts["attribution_edits"] == speaker_words.errors > 10
    mapping = by_name("speaker_mapping").compare(a, b)
    assert mapping.errors == 2
    assert {f.path for f in mapping.findings} == {"speaker_mapping/0", "speaker_mapping/1"}
    assert mapping.findings[0].step == "merge_transcripts"


def test_recognition_noise_moves_no_speaker():
    """A third of the words wrong is noise, not a swap."""
    a = observation()
    noisy = [
        w.model_copy(update={"text": "hm "}) if n % 3 == 0 else w
        for n, w in enumerate(a.outputs.words)
    ]
    assert by_name("speaker_mapping").compare(a, observation(outputs_of(noisy))).errors == 0


def test_twelve_tracks_in_string_order_are_named():
    """t_10 before t_2: ten of twelve speakers stand under another name."""
    texts = [f"{' '.join(f'w{speaker}x{n}' for n in range(8))}" for speaker in range(12)]
    words = words_of(texts, speakers=12)
    order = sorted(range(12), key=lambda n: f"t_{n}")
    moved = [w.model_copy(update={"speaker": order.index(w.speaker)}) for w in words]
    a, b = observation(outputs_of(words)), observation(outputs_of(moved))
    assert by_name("speaker_mapping").compare(a, b).errors == 10


def test_a_shift_of_eight_seconds_is_seen_by_times_alone():
    """Words and speakers are equal; the median shift names the offset and its track."""
    a = observation()
    late = [
        w.model_copy(update={"start": w.start + 8, "end": w.end + 8}) if w.speaker else w
        for w in a.outputs.words
    ]
    b = observation(outputs_of(late))
    assert by_name("words").compare(a, b).errors == 0
    times = by_name("word_times").compare(a, b)
    assert times.errors == sum(1 for w in late if w.speaker)
    [finding] = times.findings
    assert (finding.path, finding.hypothesis, finding.step) == (
        "word_times/1/offset",
        8,
        "pad_track",
    )


def test_the_slope_distinguishes_a_stretch_from_an_offset():
    """One per cent slower is a slope of 0.01; a constant offset has none."""
    at = [float(n) for n in range(100)]
    assert slope(at, [0.01 * x + 3 for x in at]) == pytest.approx(0.01)
    assert slope(at, [3.0] * 100) == 0
    assert slope([1.0], [3.0]) == 0


def test_hostile_text_is_only_text():
    """Markup, control characters, an endless word and a lone surrogate are compared like any."""
    hostile = ["<img onerror=x>", "\x1b[31m", "\u202e", "a" * 10_000, "\ud800", "\x00", "%s{0}"]
    words = tuple(Word(text=t, start=n, end=n, speaker=0) for n, t in enumerate(hostile))
    a, b = observation(Outputs(words=words)), observation(Outputs(words=words[:3]))
    for comparator in MEASURES:
        measure = comparator.compare(a, b)
        assert isinstance(measure, Measure)
    assert by_name("words_raw").compare(a, b).counts["deletions"] == 4


def test_a_hundred_thousand_words_and_none():
    """The largest transcript is aligned exactly, and so is its loss."""
    words = tuple(
        Word(text=f"w{n % 3000}", start=n / 3, end=n / 3, speaker=n % 8) for n in range(100_000)
    )
    a, b = observation(Outputs(words=words)), observation(Outputs(words=words[:99_000]))
    assert by_name("words").compare(a, b).errors == 1000
    assert by_name("words").compare(a, observation(Outputs())).divergence == 1


def test_a_lost_span_is_one_although_frequent_words_find_a_partner():
    """The alignment pairs a lost `the` with one outside; the span is reported whole."""
    texts = [f"{'the' if n % 4 == 1 else f'w{n}'} " for n in range(200)]
    words = [
        Word(text=t, start=n / 3, end=n / 3 + 0.3, speaker=(n // 10) % 2)
        for n, t in enumerate(texts)
    ]
    lost = {n for n, w in enumerate(words) if w.speaker == 1 and 50 <= n < 150}
    kept = [w for n, w in enumerate(words) if n not in lost]
    stats = by_name("words").compare(said_by(words), said_by(kept)).stats
    assert 45 <= stats["longest_lost_words"] <= 50
    assert stats["longest_lost_s"] > 25


def said_by(words):
    """A run of these words only."""
    return observation(Outputs(words=tuple(words)), events=(), effects=())

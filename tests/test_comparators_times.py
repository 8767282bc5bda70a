"""Words at the wrong time, and speakers in any number: exact, alarmed, said."""

from __future__ import annotations

import random
from functools import cache
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparators.alignment.cpwer import best_permutation
from comparators.alignment.distance import distance, encode
from comparators.alignment.tcpwer import Timed, constrained_distance
from comparators.registry import by_name
from reflector_migrate.model import Outputs, Word
from tests.comparing import observation, outputs_of, words_of

WORDS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 6)), max_size=9
)


def _timed(words):
    return Timed.of(
        "".join(w for w, _, _ in words),
        [float(start) for _, start, _ in words],
        [float(start + length) for _, start, length in words],
    )


def _by_definition(reference, hypothesis, collar):
    """The textbook recursion over pairs whose times meet."""

    @cache
    def edits(i, j):
        if not i or not j:
            return i + j
        best = 1 + min(edits(i - 1, j), edits(i, j - 1))
        meets = (
            hypothesis.starts[j - 1] - collar < reference.ends[i - 1]
            and hypothesis.ends[j - 1] + collar > reference.starts[i - 1]
        )
        if meets:
            equal = reference.code[i - 1] == hypothesis.code[j - 1]
            best = min(best, edits(i - 1, j - 1) + (not equal))
        return best

    return edits(len(reference.code), len(hypothesis.code))


@given(WORDS, WORDS, st.sampled_from([0.0, 1.0, 5.0]))
@settings(deadline=None, max_examples=300)
def test_the_constrained_distance_is_what_its_definition_says(mine, theirs, collar):
    """Never under the plain distance, the same both ways of writing it down."""
    a, b = _timed(mine), _timed(theirs)
    found = constrained_distance(a, b, collar)
    assert found == _by_definition(a, b, collar)
    assert distance(a.code, b.code) <= found <= len(a.code) + len(b.code)
    assert constrained_distance(a, b, 100.0) == distance(a.code, b.code)


SPEAKERS = st.lists(st.lists(st.sampled_from("abcd"), max_size=8), min_size=1, max_size=4)


@given(SPEAKERS, SPEAKERS)
@settings(deadline=None, max_examples=200)
def test_the_best_permutation_is_the_best_of_all(reference, hypothesis):
    """Tried one after the other, for equal and unequal counts of speakers."""
    codes = encode(*reference, *hypothesis)
    mine, theirs = codes[: len(reference)], codes[len(reference) :]
    size = max(len(mine), len(theirs))
    rows, columns = mine + [""] * (size - len(mine)), theirs + [""] * (size - len(theirs))
    best = min(
        sum(distance(row, columns[j]) for row, j in zip(rows, order, strict=True))
        for order in permutations(range(size))
    )
    found = best_permutation(mine, theirs)
    assert found.edits == best
    assert found.edits == sum(distance(rows[i], columns[j]) for i, j in found.pairs)


def _interleaved(shift_s, seed=3):
    """Two people talking in turns; one of their tracks `shift_s` late; in order of time."""
    rng = random.Random(seed)
    words = [
        Word(text=f"{rng.choice('abcdefghijklmnop')}{n} ", start=n * 0.5, end=n * 0.5 + 0.4,
             speaker=(n // 6) % 2)
        for n in range(240)
    ]  # fmt: skip
    late = [
        w.model_copy(update={"start": w.start + shift_s, "end": w.end + shift_s})
        if w.speaker == 1
        else w
        for w in words
    ]
    return (
        observation(Outputs(words=tuple(words))),
        observation(Outputs(words=tuple(sorted(late, key=lambda w: w.start)))),
    )


@pytest.mark.parametrize("shift_s", [0.5, 8.0, -0.5, 90.0])
def test_a_late_track_is_named_although_it_reorders_everybodys_words(shift_s):
    """All its words are found and moved, and no other speaker's; its own offset is the finding."""
    measure = by_name("word_times").compare(*_interleaved(shift_s))
    assert (measure.errors, measure.length) == (120, 240)
    [finding] = measure.findings
    assert (finding.speaker, finding.hypothesis) == (1, pytest.approx(shift_s))
    assert finding.path == "word_times/1/offset"


@pytest.mark.parametrize(
    ("shift_s", "untimely"),
    [pytest.param(0.0, 0, id="in time"), pytest.param(3.0, 0, id="within the collar"),
     pytest.param(200.0, 240, id="a track that meets nobody: all its words lost and made up")],
)  # fmt: skip
def test_tcpwer_is_the_alarm_that_cpwer_is_not(shift_s, untimely):
    """cpWER sees nothing at any shift; what tcpWER adds is counted beside it."""
    mine, theirs = _interleaved(shift_s)
    assert by_name("speaker_words").compare(mine, theirs).counts["cp_edits"] == 0
    counts = by_name("word_times").compare(mine, theirs).counts
    assert (counts["tcp_edits"], counts["untimely"]) == (untimely, untimely)


def _crowd(speakers, is_swapped):
    words = words_of([f"x{n} y{n} z{n} w{n}" for n in range(speakers)], speakers=speakers)
    moved = [
        w.model_copy(update={"speaker": (w.speaker + 1) % speakers}) if is_swapped else w
        for w in words
    ]
    return observation(outputs_of(words)), observation(outputs_of(moved))


@pytest.mark.parametrize(
    ("speakers", "note", "swapped"),
    [
        pytest.param(20, "", 20, id="meeteval's limit"),
        pytest.param(21, "beyond meeteval's limit", 21, id="beyond it: still exact, and said"),
        pytest.param(101, "no permutation is sought", None, id="too many: the given mapping"),
    ],
)
def test_crowds_are_attributed_or_it_is_said_that_they_are_not(speakers, note, swapped):
    """The fixed mapping always counts; without a permutation nothing is claimed about names."""
    pair = _crowd(speakers, is_swapped=True)
    words, mapping = (by_name(name).compare(*pair) for name in ("speaker_words", "speaker_mapping"))
    assert words.errors == 4 * speakers
    assert note in words.note if note else not words.note
    assert words.counts["cp_edits"] == (0 if swapped else 4 * speakers)
    assert mapping.errors == (swapped or 0)
    assert bool(mapping.inconclusive) is (swapped is None)


def test_a_crowd_that_agrees_needs_no_permutation():
    """A hundred and one people under the right names match."""
    mapping = by_name("speaker_mapping").compare(*_crowd(101, is_swapped=False))
    assert (mapping.errors, mapping.inconclusive) == (0, "")


def test_too_many_words_at_one_time_are_said_and_not_searched(monkeypatch):
    """The alarm is absent, never zero."""
    monkeypatch.setattr("comparators.alignment.tcpwer.MAX_CELLS", 10)
    measure = by_name("word_times").compare(*_interleaved(8.0))
    assert "tcp_edits" not in measure.counts
    assert "tcpWER not sought" in measure.note

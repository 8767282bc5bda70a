"""People who talk at once: the order of their words is not a word error, their own order is."""

from __future__ import annotations

import time

from comparators.registry import by_name
from reflector_migrate.model import Outputs, Word
from tests.comparing import observation

TURN = ["we", "will", "move", "the", "small", "boxes", "into", "the", "new", "cellar", "tomorrow"]
OTHER = ["please", "do", "keep", "the", "door", "shut", "while", "you", "all", "carry", "them"]


def _run(said):
    """A run of (text, start, speaker)."""
    words = tuple(
        Word(text=f"{text} ", start=start, end=start + 0.3, speaker=speaker)
        for text, start, speaker in sorted(said, key=lambda word: word[1:])
    )
    return observation(Outputs(words=words))


def _both(late_s=0.0):
    first = [(text, 1.0 + 0.5 * n, 0) for n, text in enumerate(TURN)]
    return first + [(text, 1.02 + 0.5 * n + late_s, 1) for n, text in enumerate(OTHER)]


def _errors(reference, hypothesis, measure="words"):
    return by_name(measure).compare(_run(reference), _run(hypothesis)).errors


def test_the_order_of_two_at_once_is_not_a_word_error():
    """By a hundredth of a second each word comes before the other's, not behind it."""
    moved = _both(late_s=-0.04)
    assert _errors(_both(), moved) == _errors(_both(), moved, "words_raw") == 0
    assert _errors(_both(), moved, "word_times") > 0


def test_a_word_out_of_its_speakers_own_order_is_one():
    """Two words of one speaker changed places."""
    said = _both()
    said[2], said[3] = (said[3][0], *said[2][1:]), (said[2][0], *said[3][1:])
    assert _errors(_both(), said) == 2


def test_words_far_apart_do_not_pass_each_other():
    """A speaker who is late by seven seconds answers in another place."""
    assert _errors(_both(), _both(late_s=7.0)) > 0


def test_numbers_are_read_in_one_speakers_words():
    """Twenty of one and three of the other are not twenty-three, in whatever order."""
    one = [("twenty", 1.0, 0), ("three", 1.1, 1), ("more", 1.6, 1)]
    other = [("three", 1.0, 1), ("twenty", 1.1, 0), ("more", 1.6, 1)]
    assert _errors(one, other) == 0
    assert by_name("words").compare(_run(one), _run(one)).length == 3


def test_a_word_given_to_another_who_talks_at_once_counts_alike_both_ways():
    """Its order is free on one side alone, and there are two alignments as short."""
    one = [("yes", 1.0, 0), ("go", 1.0, 0)]
    for other in ([("go", 1.0, 0), ("yes", 1.0, 1)], [("go", 1.0, 1), ("yes", 1.1, 0)]):
        for measure in ("words", "words_raw"):
            assert _errors(one, other, measure) == _errors(other, one, measure)


def test_words_without_times_are_compared_in_bounded_time():
    """A recogniser that says 0 for each of thousands of words: none passes them all."""
    turns = [[Word(text=f"{who}{n % 997} ", start=0, end=0, speaker=k) for n in range(10_000)]
             for k, who in enumerate("ab")]  # fmt: skip
    last = [Word(text=text, start=0, end=0, speaker=k) for k, text in enumerate(("oh ", "yes "))]
    orders = [*turns[0], *turns[1], *last], [*turns[1], *turns[0], *reversed(last)]
    runs = [observation(Outputs(words=tuple(words))) for words in orders]
    begin = time.process_time()
    assert by_name("words").compare(*runs).errors > 0
    assert time.process_time() - begin < 5

"""Adjudication, pure: one hunk a recording, its sides hidden, and an interval for any look."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from reflector_migrate.judge.adjudication import (
    Blind,
    Choice,
    Hunk,
    Key,
    Piece,
    blinded,
    hunk_of,
)
from reflector_migrate.judge.preference import preference
from reflector_migrate.model import Comparison, Engine, Outputs, Role, Side, Topic, Turn, Verdict

TURN = Turn(
    at_s=161.2,
    speaker=0,
    speaker_name="Ana",
    diff=(("equal", "we ship on"), ("delete", "Friday"), ("insert", "Monday"), ("equal", "then")),
)
MOVED = Turn(
    at_s=3.0,
    speaker=1,
    diff=(("delete", "Ana:"), ("insert", "Ben:"), ("equal", "yes")),
)
SAME = Turn(at_s=9.0, speaker=1, diff=(("equal", "yes"),))


def comparison(*turns: Turn, run: str = "run-1") -> Comparison:
    """A stored comparison with these word diffs."""
    return Comparison(
        recording="rec-1",
        run_id=run,
        verdict=Verdict.DIVERGED,
        primary=Side(role=Role.PRIMARY, engine=Engine.CELERY, status="completed"),
        candidate=Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR, status="completed"),
        turns=turns,
    )


def test_a_word_diff_has_two_sides() -> None:
    """Each side has its own words, marked where the other has something else."""
    hunk = hunk_of(comparison(TURN), None, None, "words")
    assert hunk is not None
    assert hunk.head == "02:41 Ana"
    assert hunk.primary == (("we ship on", False), ("Friday", True), ("then", False))
    assert hunk.candidate == (("we ship on", False), ("Monday", True), ("then", False))


def test_words_under_another_name_are_a_difference() -> None:
    """The names are what differs, where the words agree."""
    hunk = hunk_of(comparison(MOVED), None, None, "words")
    assert hunk is not None
    assert (hunk.primary[0], hunk.candidate[0]) == (("Ana:", True), ("Ben:", True))


@pytest.mark.parametrize(
    ("primary", "candidate"),
    [
        pytest.param(Outputs(title="a b"), Outputs(title="a b"), id="the same title"),
        pytest.param(None, Outputs(title="a"), id="a side whose outputs were erased"),
        pytest.param(Outputs(), Outputs(title=""), id="no title and an empty one"),
    ],
)
def test_what_does_not_differ_is_not_asked(
    primary: Outputs | None, candidate: Outputs | None
) -> None:
    """No question without two texts to choose from."""
    assert hunk_of(comparison(SAME), primary, candidate, "words") is None
    assert hunk_of(comparison(SAME), primary, candidate, "title") is None


def test_a_summary_is_shown_whole_with_its_differences() -> None:
    """Words that both sides share are not marked."""
    sides = Outputs(long_summary="Ben pays 10 euro now"), Outputs(long_summary="Ben pays 12 euro")
    hunk = hunk_of(comparison(), *sides, "long_summary")
    assert hunk is not None
    assert hunk.primary == (("Ben pays", False), ("10", True), ("euro", False), ("now", True))
    assert hunk.candidate == (("Ben pays", False), ("12", True), ("euro", False))


def test_topics_are_read_as_a_list() -> None:
    """Time, title and summary of each."""
    topics = [(Topic(title="Plans", summary=text, timestamp=61.0),) for text in ("a", "b")]
    hunk = hunk_of(comparison(), Outputs(topics=topics[0]), Outputs(topics=topics[1]), "topics")
    assert hunk is not None
    assert hunk.primary == (("01:01 Plans:", False), ("a", True))


def test_which_of_several_is_drawn_by_the_run() -> None:
    """The same run always has the same hunk, and runs do not all have their first one."""
    heads = Counter(
        hunk.head
        for number in range(60)
        if (hunk := hunk_of(comparison(TURN, MOVED, run=f"run-{number}"), None, None, "words"))
    )
    assert set(heads) == {"02:41 Ana", "00:03"}
    assert min(heads.values()) >= 15


HUNK = Hunk("rec", "run", "title", "title", (Piece("old", True),), (Piece("new", True),))


@pytest.mark.parametrize(
    ("is_swapped", "key", "choice"),
    [
        pytest.param(False, "first", "primary", id="the primary stands first"),
        pytest.param(False, "second", "candidate", id="the candidate stands second"),
        pytest.param(True, "first", "candidate", id="swapped, the candidate stands first"),
        pytest.param(True, "second", "primary", id="swapped, the primary stands second"),
        pytest.param(True, "same", "same", id="the same has no side"),
    ],
)
def test_the_choice_is_of_the_text_that_stood_there(
    is_swapped: bool, key: Key, choice: Choice
) -> None:
    """The first text belongs to the side that the order says."""
    blind = Blind(HUNK, is_swapped)
    assert blind.choice(key) == choice
    if choice != "same":
        place = {"first": 0, "second": 1}[key]
        assert blind.texts[place] == getattr(HUNK, choice)


def test_the_order_is_even_and_each_readers_own() -> None:
    """About half of all hunks are swapped, and two readers do not see the same order."""
    hunks = [Hunk("r", str(n), "title", "t", HUNK.primary, HUNK.candidate) for n in range(400)]
    ana, ben = ([blinded(h, b"secret", who).is_swapped for h in hunks] for who in ("ana", "ben"))
    assert 160 < sum(ana) < 240
    assert 160 < sum(a != b for a, b in zip(ana, ben, strict=True)) < 240
    assert ana == [blinded(h, b"secret", "ana").is_swapped for h in hunks]


@pytest.mark.parametrize(
    ("choices", "better"),
    [
        pytest.param([], "undecided", id="no answer shows nothing"),
        pytest.param(["same"] * 50, "undecided", id="the same fifty times shows neither"),
        pytest.param(["candidate"] * 5, "undecided", id="five in a row are too few"),
        pytest.param(["candidate"] * 8, "candidate", id="eight in a row are enough"),
        pytest.param(["primary"] * 8, "primary", id="for the primary too"),
        pytest.param(["primary", "candidate"] * 50, "undecided", id="half and half"),
        pytest.param(
            ["candidate"] * 40 + ["primary"] * 60, "undecided", id="a preference that turned round"
        ),
    ],
)
def test_which_side_is_better(choices: list[Choice], better: str) -> None:
    """Named only once the interval leaves even chances out."""
    found = preference(choices)
    assert found.better == better
    assert found.candidate + found.primary + found.same == len(choices)


def test_the_interval_narrows_and_bears_its_share() -> None:
    """Around the share seen; never wider at a later look."""
    choices: list[Choice] = ["candidate", "candidate", "primary"] * 40
    looks = [preference(choices[:n]) for n in (3, 30, 120)]
    assert all(a.low <= b.low <= b.high <= a.high for a, b in pairwise(looks))
    assert looks[-1].low < 2 / 3 < looks[-1].high
    assert looks[-1].high - looks[-1].low < 0.35


@pytest.mark.parametrize("chance", [0.5, 0.8])
def test_the_true_chance_is_ever_left_out_in_at_most_five_of_a_hundred(chance: float) -> None:
    """Looked at after each of forty answers, in 200 cohorts of a fixed seed."""
    draw = random.Random(7)
    missed = 0
    for _ in range(200):
        choices: list[Choice] = [
            "candidate" if draw.random() < chance else "primary" for _ in range(40)
        ]
        found = preference(choices)
        missed += not found.low <= chance <= found.high
    assert missed <= 10 + 6  # 5 %, and two standard deviations of the count

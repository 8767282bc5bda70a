"""Concurrent speakers' words in one order on both sides: their order is not a word error.

Two people who talk at once are merged by the starts of their words, and a hundredth of a
second decides. So the hypothesis's words are put into the reference's order as far as each
speaker's own order and the clock allow: only words that start at nearly the same time pass
each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from comparators.alignment.distance import Block, blocks

CONCURRENT_S = 1.0
"""Words of two speakers that start further apart were said one after the other."""
REACH = 40
"""Tokens within which a word may have changed its place."""


class Side(NamedTuple):
    """A transcript's tokens as text, and of each who says it and when it starts."""

    code: str
    speakers: Sequence[int]
    starts_s: Sequence[float]


def is_reordered(reference: Side, hypothesis: Side, aligned: Sequence[Block]) -> bool:
    """Whether a speaker's word is missing in one place and extra in another one nearby."""
    missing = defaultdict[tuple[int, str], list[int]](list)
    extra = list[tuple[tuple[int, str], int]]()
    for block in aligned:
        if block.tag != "equal":
            for at in range(block.ref_start, block.ref_end):
                missing[reference.speakers[at], reference.code[at]].append(block.hyp_start)
            extra += [
                ((hypothesis.speakers[at], hypothesis.code[at]), at)
                for at in range(block.hyp_start, block.hyp_end)
            ]
    return any(abs(place - at) <= REACH for word, at in extra for place in missing.get(word, ()))


def in_order_of(reference: Side, hypothesis: Side) -> list[int]:
    """The hypothesis's tokens, by place, in the order of the reference where that is free."""
    rank = _ranks(reference, hypothesis)
    speakers, starts_s = hypothesis.speakers, hypothesis.starts_s
    order = list(range(len(rank)))
    for place in range(1, len(order)):
        moving, at, first = order[place], place, max(place - REACH, 0)
        while at > first and _passes(moving, order[at - 1], rank, speakers, starts_s):
            order[at] = order[at - 1]
            at -= 1
        order[at] = moving
    return order


def _passes(
    moving: int,
    before: int,
    rank: Sequence[int],
    speakers: Sequence[int],
    starts_s: Sequence[float],
) -> bool:
    """Whether a word goes before the one in front of it: another speaker's, of the same moment."""
    return (
        rank[before] > rank[moving]
        and speakers[before] != speakers[moving]
        and abs(starts_s[moving] - starts_s[before]) <= CONCURRENT_S
    )


def _ranks(reference: Side, hypothesis: Side) -> list[int]:
    """Of each token its counterpart's place; of one without any, that of the speaker's last."""
    first, second = _by_speaker(reference.speakers), _by_speaker(hypothesis.speakers)
    rank = [0] * len(hypothesis.code)
    for speaker, places in second.items():
        own = first.get(speaker, [])
        codes = [
            "".join(map(side.code.__getitem__, at))
            for side, at in ((reference, own), (hypothesis, places))
        ]
        last = own[0] if own else 0
        for block in blocks(*codes):
            for n in range(block.hyp_start, block.hyp_end):
                if block.tag == "equal":
                    last = own[block.ref_start + n - block.hyp_start]
                rank[places[n]] = last
    return rank


def _by_speaker(speakers: Sequence[int]) -> Mapping[int, list[int]]:
    places = defaultdict[int, list[int]](list)
    for place, speaker in enumerate(speakers):
        places[speaker].append(place)
    return places

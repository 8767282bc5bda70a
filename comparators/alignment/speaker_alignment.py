"""Whose words are whose: speakers' own words on both sides, and which speaker is which.

Edits with the given mapping and with the best permutation (cpWER) are worked out once
for a pair of transcripts, as is the alignment of each speaker with their counterpart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from comparators.alignment.cpwer import Costs, Permutation, best_permutation
from comparators.alignment.distance import Block, blocks, distance
from comparators.alignment.transcript_pair import Columns, Pair

MAX_SPEAKERS = 100
"""Beyond it no permutation is sought: the given mapping stands, and that is said."""


class Voice(NamedTuple):
    """One speaker's encoded tokens, and their places among everybody's."""

    code: str
    tokens: list[int]


class Attribution(NamedTuple):
    """Edits per speaker with the given mapping, and the best permutation's pairs and edits.

    `bounds` are lower bounds of every pair's edits, in the order of `speakers`;
    none where no permutation was sought.
    """

    speakers: list[int]
    fixed: dict[int, int]
    lengths: dict[int, tuple[int, int]]
    best: list[tuple[int | None, int | None]]
    best_edits: int
    bounds: Costs | None


def voices(columns: Columns, code: str) -> dict[int, Voice]:
    """Each speaker's tokens, in the order in which they are given."""
    collected = defaultdict[int, list[int]](list)
    speakers = [word.speaker for word in columns.words]
    for token, speaker in enumerate(map(speakers.__getitem__, columns.places)):
        collected[speaker].append(token)
    return {
        speaker: Voice("".join(map(code.__getitem__, tokens)), tokens)
        for speaker, tokens in collected.items()
    }


def both_voices(pair: Pair) -> tuple[dict[int, Voice], dict[int, Voice]]:
    """Each side's voices."""
    return (
        voices(pair.reference, pair.reference_code),
        voices(pair.hypothesis, pair.hypothesis_code),
    )


def attribute(reference: Mapping[int, str], hypothesis: Mapping[int, str]) -> Attribution:
    """Edits under the given mapping and under the best one, exactly, for any counts of speakers."""
    speakers = sorted({*reference, *hypothesis})
    sides = [(reference.get(s, ""), hypothesis.get(s, "")) for s in speakers]
    fixed = {s: distance(*side) for s, side in zip(speakers, sides, strict=True)}
    found = _permuted([r for r, _ in sides], [h for _, h in sides], list(fixed.values()))
    pairs = [(_held(speakers[i], reference), _held(speakers[j], hypothesis)) for i, j in found[0]]
    lengths = {s: (len(r), len(h)) for s, (r, h) in zip(speakers, sides, strict=True)}
    return Attribution(speakers, fixed, lengths, pairs, found[1], found[2])


def _permuted(
    reference: list[str], hypothesis: list[str], fixed: list[int]
) -> Permutation | tuple[list[tuple[int, int]], int, None]:
    """The best permutation; the given mapping where it is perfect or speakers are too many."""
    if any(fixed) and len(fixed) <= MAX_SPEAKERS:
        return best_permutation(reference, hypothesis)
    return [(n, n) for n in range(len(fixed))], sum(fixed), None


def _held(speaker: int, side: Mapping[int, str]) -> int | None:
    """The speaker where this side has them, else None (an empty seat)."""
    return speaker if speaker in side else None


def attributed(pair: Pair) -> Attribution:
    """The attribution of two transcripts' words, made once for their alignment."""
    return pair.once(_attributed)


def _attributed(pair: Pair) -> Attribution:
    reference, hypothesis = pair.once(both_voices)
    return attribute(
        {speaker: voice.code for speaker, voice in reference.items()},
        {speaker: voice.code for speaker, voice in hypothesis.items()},
    )


def heard_twice(pair: Pair) -> list[tuple[Voice, Voice]]:
    """Speakers with their counterparts under the best permutation, where they have one."""
    reference, hypothesis = pair.once(both_voices)
    best = attributed(pair).best
    return [(reference[r], hypothesis[h]) for r, h in best if r is not None and h is not None]


def voices_aligned(pair: Pair) -> dict[tuple[str, str], list[Block]]:
    """Each speaker's words aligned with their counterpart's, by both encoded texts; made once."""
    return pair.once(_voices_aligned)


def _voices_aligned(pair: Pair) -> dict[tuple[str, str], list[Block]]:
    return {(r.code, h.code): blocks(r.code, h.code) for r, h in heard_twice(pair)}

"""Words under their speaker: with the given mapping, and with the best permutation (cpWER).

The fixed mapping is what is gated: cpWER cannot see two speakers' names swapped.
The difference of the two is the attribution error. The best permutation is found
from lower bounds (shared multisets of words), made exact only where the optimal
assignment uses them; an assignment that uses exact values only is optimal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from comparators.assignment import assign
from comparators.columns import Columns, Pair, remembered, word_pair
from comparators.distance import distance
from reflector_migrate.model import Finding, Measure, Observation, Severity

MERGE, TRANSCRIBE = "merge_transcripts", "transcribe_track"
MIN_SWAPPED_WORDS = 3


class Attribution(NamedTuple):
    """Edits per speaker with the given mapping, and the best permutation's pairs and edits."""

    speakers: list[int]
    fixed: dict[int, int]
    lengths: dict[int, tuple[int, int]]
    best: list[tuple[int | None, int | None]]
    best_edits: int


def by_speaker(columns: Columns, code: str) -> dict[int, str]:
    """Each speaker's encoded tokens, in order of time."""
    collected: dict[int, list[str]] = {}
    speakers = [word.speaker for word in columns.words]
    for character, index in zip(code, columns.places, strict=True):
        collected.setdefault(speakers[index], []).append(character)
    return {speaker: "".join(characters) for speaker, characters in collected.items()}


def attribute(reference: Mapping[int, str], hypothesis: Mapping[int, str]) -> Attribution:
    """Edits under the given mapping and under the best one, exactly, for any counts of speakers."""
    speakers = sorted({*reference, *hypothesis})
    sides = [(reference.get(s, ""), hypothesis.get(s, "")) for s in speakers]
    fixed = {s: distance(*side) for s, side in zip(speakers, sides, strict=True)}
    best, edits = best_permutation([r for r, _ in sides], [h for _, h in sides])
    pairs = [(_held(speakers[i], reference), _held(speakers[j], hypothesis)) for i, j in best]
    lengths = {s: (len(r), len(h)) for s, (r, h) in zip(speakers, sides, strict=True)}
    return Attribution(speakers, fixed, lengths, pairs, edits)


def _held(speaker: int, side: Mapping[int, str]) -> int | None:
    """The speaker where this side has them, else None (an empty seat)."""
    return speaker if speaker in side else None


def best_permutation(
    reference: Sequence[str], hypothesis: Sequence[str]
) -> tuple[list[tuple[int, int]], int]:
    """Pairs of indices with the least sum of distances, and that sum (cpWER's numerator).

    Lists of unequal length are filled with empty texts, as cpWER does.
    """
    size = max(len(reference), len(hypothesis))
    rows = [*reference, *[""] * (size - len(reference))]
    columns = [*hypothesis, *[""] * (size - len(hypothesis))]
    costs = _bounds(rows, columns)
    exact: set[tuple[int, int]] = set()
    while True:
        pairs = assign(costs)
        open_pairs = [pair for pair in pairs if pair not in exact]
        if not open_pairs:
            return pairs, int(sum(costs[i][j] for i, j in pairs))
        for i, j in open_pairs:
            costs[i][j] = distance(rows[i], columns[j], int(costs[i][j]))
            exact.add((i, j))


def _bounds(rows: Sequence[str], columns: Sequence[str]) -> list[list[float]]:
    """Lower bounds of every pair's distance: what their multisets of words do not share."""
    bags = [Counter(text) for text in rows], [Counter(text) for text in columns]
    return [
        [
            max(len(r), len(c)) - _shared(row, column)
            for c, column in zip(columns, bags[1], strict=True)
        ]
        for r, row in zip(rows, bags[0], strict=True)
    ]


def _shared(first: Counter[str], second: Counter[str]) -> int:
    """The size of two multisets' intersection."""
    both = first.keys() & second.keys()
    return sum(map(min, map(first.__getitem__, both), map(second.__getitem__, both)))


def _attribution(reference: Observation, hypothesis: Observation) -> Attribution:
    return remembered(_attributed, word_pair(reference, hypothesis))


def _attributed(pair: Pair) -> Attribution:
    return attribute(
        by_speaker(pair.reference, pair.reference_code),
        by_speaker(pair.hypothesis, pair.hypothesis_code),
    )


def compare_speaker_words(reference: Observation, hypothesis: Observation) -> Measure:
    """Edits under the given mapping over the longer side of each speaker."""
    found = _attribution(reference, hypothesis)
    edits = sum(found.fixed.values())
    return Measure(
        name="speaker_words",
        kind="graded",
        errors=edits,
        length=sum(max(sizes) for sizes in found.lengths.values()),
        counts={
            "edits": edits,
            "cp_edits": found.best_edits,
            "attribution_edits": edits - found.best_edits,
            "reference_words": sum(sizes[0] for sizes in found.lengths.values()),
            "hypothesis_words": sum(sizes[1] for sizes in found.lengths.values()),
        },
        reference_text=f"{_speakers(found, 0)} speakers",
        hypothesis_text=f"{_speakers(found, 1)} speakers",
        step=MERGE if edits > 2 * found.best_edits else TRANSCRIBE,
        findings=tuple(_finding(found, s) for s in found.speakers if found.fixed[s]),
    )


def _speakers(found: Attribution, side: int) -> int:
    return sum(1 for sizes in found.lengths.values() if sizes[side])


def _finding(found: Attribution, speaker: int) -> Finding:
    """One speaker's edits under the given mapping."""
    sizes, edits = found.lengths[speaker], found.fixed[speaker]
    swapped = dict(_swapped(found))
    message = f"{edits} edits"
    if speaker in swapped:
        message += f"; these words are under speaker {swapped[speaker]}"
    return Finding(
        path=f"speaker_words/{speaker}",
        step=MERGE if speaker in swapped else TRANSCRIBE,
        severity=Severity.MAJOR if edits > 0.2 * max(sizes) else Severity.MINOR,
        reference=f"{sizes[0]} words",
        hypothesis=f"{sizes[1]} words",
        speaker=speaker,
        message=message,
    )


def _swapped(found: Attribution) -> list[tuple[int, int]]:
    """(speaker, where their words went) beyond doubt: most words misfit here and fit there.

    Noise cannot move a speaker: at least three words, over half of them wrong
    under the given mapping, and the best permutation puts them elsewhere at
    less than half the edits.
    """
    moved = [(r, h) for r, h in found.best if r is not None and h is not None and r != h]
    if not moved:
        return []
    gained = sum(found.fixed[r] for r, _ in moved)
    rest = sum(found.fixed[s] for s in found.speakers) - gained
    if found.best_edits - rest > gained / 2:
        return []
    return [
        (r, h)
        for r, h in moved
        if found.lengths[r][0] >= MIN_SWAPPED_WORDS and found.fixed[r] > max(found.lengths[r]) / 2
    ]


def compare_speaker_mapping(reference: Observation, hypothesis: Observation) -> Measure:
    """Exact: nobody's words stand under somebody else's name."""
    found = _attribution(reference, hypothesis)
    swapped = _swapped(found)
    return Measure(
        name="speaker_mapping",
        kind="exact",
        errors=len(swapped),
        length=len(found.speakers),
        counts={"swapped": len(swapped), "speakers": len(found.speakers)},
        reference_text=f"{_speakers(found, 0)} speakers",
        hypothesis_text=f"{len(swapped)} under another name" if swapped else "same speakers",
        step=MERGE,
        findings=tuple(
            Finding(
                path=f"speaker_mapping/{r}",
                step=MERGE,
                severity=Severity.CRITICAL,
                kind="moved",
                reference=r,
                hypothesis=h,
                speaker=r,
                message=f"speaker {r}'s words are under speaker {h}",
            )
            for r, h in swapped
        ),
    )

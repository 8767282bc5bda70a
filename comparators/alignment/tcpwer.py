"""tcpWER's numerator for two transcripts: edits where words pair only within a collar.

What it exceeds cpWER's by is words that are right at a wrong time. As meeteval defines
it: a word of the hypothesis, widened by a collar, must overlap the reference's. Where
the unconstrained alignment keeps to that, its distance is the answer; else an exact
search over the pairs whose times meet.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from comparators.alignment.cpwer import bag_bounds, cheapest, tightened
from comparators.alignment.distance import Block, blocks, count
from comparators.alignment.speaker_alignment import Voice, attributed, both_voices, voices_aligned
from comparators.alignment.transcript_pair import Columns, Pair

COLLAR_S = 5.0
"""The usual collar of tcpWER."""
MAX_CELLS = 10_000_000
"""Pairs whose times meet that are searched at most (a few seconds)."""


def constrained_edits(pair: Pair, collar_s: float = COLLAR_S) -> int | None:
    """tcpWER's numerator under the best permutation for it; None where it is too much to search."""
    columns = pair.reference, pair.hypothesis
    sides = [
        {speaker: _timed(own, voice) for speaker, voice in side.items()}
        for own, side in zip(columns, pair.once(both_voices), strict=True)
    ]
    found, aligned = attributed(pair), voices_aligned(pair)
    silent = Timed("", (), ())
    known: dict[tuple[int | None, int | None], int | None] = {}

    def edits(r: int | None, h: int | None) -> int | None:
        if (r, h) not in known:
            first, second = sides[0].get(r, silent), sides[1].get(h, silent)  # type: ignore[arg-type]
            known_blocks = aligned.get((first.code, second.code))
            known[r, h] = constrained_distance(first, second, collar_s, known_blocks)
        return known[r, h]

    given = [edits(r, h) for r, h in found.best]
    if None in given:
        return None
    total = sum(n for n in given if n is not None)
    if total == found.best_edits or found.bounds is None:
        return total
    names = found.speakers
    codes = [[side.get(name, silent).code for name in names] for side in sides]
    costs = tightened(found.bounds, bag_bounds(*codes))
    try:
        pairs = cheapest(costs, set(), lambda i, j: _known(edits(names[i], names[j])))
    except _TooMuchError:
        return None
    return int(sum(costs[i][j] for i, j in pairs))


class _TooMuchError(Exception):
    """A pair of speakers has more words at one time than are searched."""


def _known(edits: int | None) -> int:
    if edits is None:
        raise _TooMuchError
    return edits


def _timed(columns: Columns, voice: Voice) -> Timed:
    """A voice with its words' times."""
    words = [columns.words[columns.places[token]] for token in voice.tokens]
    return Timed.of(voice.code, [word.start for word in words], [word.end for word in words])


class Timed(NamedTuple):
    """Encoded words with the seconds at which each starts and ends, in order of start."""

    code: str
    starts: Sequence[float]
    ends: Sequence[float]

    @classmethod
    def of(cls, code: str, starts: Sequence[float], ends: Sequence[float]) -> Timed:
        """In order of start, as tcpWER takes them; mostly they are already."""
        if all(map(float.__le__, starts[:-1], starts[1:])):
            return cls(code, starts, ends)
        order = sorted(range(len(code)), key=starts.__getitem__)
        return cls("".join(code[i] for i in order), [starts[i] for i in order],
                   [ends[i] for i in order])  # fmt: skip

    def widened(self, collar_s: float) -> Timed:
        """Each word longer by the collar at both ends."""
        return Timed(
            self.code, [s - collar_s for s in self.starts], [e + collar_s for e in self.ends]
        )

    def part(self, start: int, end: int) -> Timed:
        """Words start..end."""
        return Timed(self.code[start:end], self.starts[start:end], self.ends[start:end])


def constrained_distance(
    reference: Timed,
    hypothesis: Timed,
    collar_s: float,
    aligned: Sequence[Block] | None = None,
) -> int | None:
    """Edits where only words whose times meet are paired; None where that is too much to search.

    `aligned`: an optimal alignment of both codes, where one is known already.
    """
    wide = hypothesis.widened(collar_s)
    found = _unconstrained(reference, wide, aligned)
    if found is not None:
        return found
    left, edits = MAX_CELLS, 0
    for part in _parts(reference, wide):
        found = _unconstrained(*part)
        if found is None:
            found, cells = _searched(*part, left)
            left -= cells
        if left < 0:
            return None
        edits += found
    return edits


def _unconstrained(
    reference: Timed, hypothesis: Timed, aligned: Sequence[Block] | None = None
) -> int | None:
    """The distance of an alignment that pairs only words whose times meet; None: it does not."""
    if not reference.code or not hypothesis.code:
        return max(len(reference.code), len(hypothesis.code))
    if aligned is None:
        aligned = blocks(reference.code, hypothesis.code)
    return count(aligned).total if all(_meet(reference, hypothesis, b) for b in aligned) else None


def _meet(reference: Timed, hypothesis: Timed, block: Block) -> bool:
    """Whether every pair of words of a block overlaps."""
    if block.tag not in {"equal", "replace"}:
        return True
    mine = slice(block.ref_start, block.ref_end)
    theirs = slice(block.hyp_start, block.hyp_end)
    return all(map(float.__lt__, hypothesis.starts[theirs], reference.ends[mine])) and all(
        map(float.__gt__, hypothesis.ends[theirs], reference.starts[mine])
    )


def _parts(reference: Timed, hypothesis: Timed) -> Iterator[tuple[Timed, Timed]]:
    """Both sides, cut at moments that no word spans: no pair crosses a cut."""
    spans = [
        *((s, e, 1, 0) for s, e in zip(reference.starts, reference.ends, strict=True)),
        *((s, e, 0, 1) for s, e in zip(hypothesis.starts, hypothesis.ends, strict=True)),
    ]
    spans.sort(key=lambda span: span[0])  # by start alone: each side keeps its own order
    begun, at, end_s = (0, 0), (0, 0), float("-inf")
    for start_s, stop_s, mine, theirs in spans:
        if start_s >= end_s and at != begun:
            yield reference.part(begun[0], at[0]), hypothesis.part(begun[1], at[1])
            begun = at
        end_s = max(end_s, stop_s)
        at = at[0] + mine, at[1] + theirs
    yield reference.part(begun[0], at[0]), hypothesis.part(begun[1], at[1])


def _searched(reference: Timed, hypothesis: Timed, max_cells: int) -> tuple[int, int]:
    """(edits, pairs looked at), by dynamic programming over what pairing two words saves.

    row[j] is the most that pairing among the hypothesis' first j words saves: two
    edits for equal words, one for others. Beyond `reach` it is what it is there.
    """
    latest = list(accumulate(hypothesis.ends, max))
    row, reach, cells = [0] * (len(hypothesis.code) + 1), 0, 0
    for token, start_s, end_s in zip(*reference, strict=True):
        low = bisect_right(latest, start_s)
        high = bisect_left(hypothesis.starts, end_s)
        if low >= high:
            continue
        cells += high - low
        if cells > max_cells:
            return 0, cells
        if high > reach:
            row[reach + 1 : high + 1] = [row[reach]] * (high - reach)
            reach = high
        _advance(row, hypothesis, token, start_s, (low, high, reach))
    return len(reference.code) + len(hypothesis.code) - row[reach], cells


def _advance(
    row: list[int], hypothesis: Timed, token: str, start_s: float, window: tuple[int, int, int]
) -> None:
    """One more word of the reference: pair it within the window, keep the row ascending."""
    low, high, reach = window
    code, ends = hypothesis.code, hypothesis.ends
    diagonal = best = row[low]
    for j in range(low, high):
        above = row[j + 1]
        saved = diagonal + (2 if code[j] == token else 1) if ends[j] > start_s else 0
        best = max(above, best, saved)
        diagonal = above
        row[j + 1] = best
    for j in range(high + 1, reach + 1):
        if row[j] >= best:
            return
        row[j] = best

"""tcpWER's numerator for two transcripts: edits where words pair only within a collar.

What it exceeds cpWER's by is words that are right at a wrong time.
"""

from __future__ import annotations

from comparators.alignment.cpwer_assignment import bag_bounds, cheapest, tightened
from comparators.alignment.speaker_alignment import Voice, attributed, both_voices, voices_aligned
from comparators.alignment.time_constrained_distance import Timed, constrained_distance
from comparators.alignment.transcript_pair import Columns, Pair, remembered

COLLAR_S = 5.0
"""The usual collar of tcpWER."""


def constrained_edits(pair: Pair, collar_s: float = COLLAR_S) -> int | None:
    """tcpWER's numerator under the best permutation for it; None where it is too much to search."""
    sides = [
        {speaker: _timed(columns, voice) for speaker, voice in side.items()}
        for columns, side in zip(pair[:2], remembered(both_voices, pair), strict=True)
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

"""Times of the words both sides have: median, p95 and slope of the start difference.

errors / length = equal words that start or end more than DISPLACED_S apart / equal words.
One that moved by less weighs next to nothing, but none only where it did not move at all.
Words are aligned speaker by speaker (under the best permutation): one late track
changes the order of everybody's words, but not of its own. The slope (least squares
over the meeting) distinguishes a stretch from an offset; each speaker's own median shows
which track's offset is wrong. A whole track that is late by less than DISPLACED_S, or
gets so gradually, displaces no word: `offset_s` and `drift_s` of the worst track show it,
by words that cannot have been taken for another of their speaker's.

The alarm beside it is tcpWER's numerator: edits where words may be paired only
within a collar. What it exceeds cpWER's by is words that are right at a wrong time.
"""

from __future__ import annotations

from typing import NamedTuple

from comparators.alignment.speaker_alignment import attributed, heard_twice, voices_aligned
from comparators.alignment.tcpwer import constrained_edits
from comparators.alignment.transcript_pair import Pair, Transcripts
from comparators.language.normalise import NORMALISER
from comparators.track_times import (
    DISPLACED_S,
    drift,
    gaps,
    is_noticed,
    is_told_apart,
    lateness,
    offset,
    quantile,
    slope,
)
from reflector_migrate.model import Amount, Finding, Measure, Observation, Severity, Unit

STEP = "pad_track"
SLIGHT = 1e-6
"""What a word that moved by less counts, against 1 of one displaced."""


class Shifts(NamedTuple):
    """Of each equal word: when it starts in the reference, how much later, who says it.

    `ends_s` is how much later it ends; `certain`: it is distinguished from its namesakes.
    """

    at_s: list[float]
    by_s: list[float]
    ends_s: list[float]
    speakers: list[int]
    places: list[int]
    certain: list[bool]

    def displaced(self) -> int:
        """How many start or end more than DISPLACED_S apart."""
        return sum(map(_is_far, self.by_s, self.ends_s)) if self.is_any_moved() else 0

    def moved(self) -> int:
        """How many start or end at another time at all."""
        both = zip(self.by_s, self.ends_s, strict=True)
        return sum(1 for by in both if any(by)) if self.is_any_moved() else 0

    def lateness(self) -> dict[str, float]:
        """Of the worst track, by the words that are distinguished."""
        pick = [n for n, is_certain in enumerate(self.certain) if is_certain]
        return lateness([self.by_s[n] for n in pick], [self.speakers[n] for n in pick])

    def is_any_moved(self) -> bool:
        """Whether a single one did."""
        return any(self.by_s) or any(self.ends_s)


def _is_far(start_s: float, end_s: float) -> bool:
    return not -DISPLACED_S <= start_s <= DISPLACED_S or not -DISPLACED_S <= end_s <= DISPLACED_S


def shifts(pair: Pair) -> Shifts:
    """One entry for each word aligned with an equal one of its speaker's counterpart."""
    found = _counterparts(pair)
    places = sorted(found)
    reference = [pair.reference.words[place] for place in places]
    hypothesis = [pair.hypothesis.words[found[place]] for place in places]
    by_s = _later([word.start for word in reference], [word.start for word in hypothesis])
    return Shifts(
        [word.start for word in reference],
        by_s,
        _later([word.end for word in reference], [word.end for word in hypothesis]),
        [word.speaker for word in reference],
        places,
        _certain(pair, by_s, places, [found[place] for place in places]),
    )


def _certain(
    pair: Pair, by_s: list[float], reference: list[int], hypothesis: list[int]
) -> list[bool]:
    """Of each word whether it is distinguished from its namesakes on both sides."""
    if not any(by_s):
        return [True] * len(by_s)
    of_reference, of_hypothesis = pair.reference.once(gaps), pair.hypothesis.once(gaps)
    moved = zip(by_s, reference, hypothesis, strict=True)
    return [is_told_apart(by, min(of_reference[i], of_hypothesis[j])) for by, i, j in moved]


def _later(first: list[float], second: list[float]) -> list[float]:
    """How much later each of the second is, to a microsecond."""
    return [round(b - a, 6) if a != b else 0.0 for a, b in zip(first, second, strict=True)]


def _counterparts(pair: Pair) -> dict[int, int]:
    """Places of equal words; of a word with several tokens the first one counts."""
    aligned = voices_aligned(pair)
    here, there = list[int](), list[int]()
    for first, second in heard_twice(pair):
        for block in aligned[first.code, second.code]:
            if block.tag == "equal":
                here += first.tokens[block.ref_start : block.ref_end]
                there += second.tokens[block.hyp_start : block.hyp_end]
    places = pair.reference.places, pair.hypothesis.places
    both = zip(reversed(here), reversed(there), strict=True)
    return {places[0][i]: places[1][j] for i, j in both}


def compare_word_times(
    reference: Observation, hypothesis: Observation, transcripts: Transcripts
) -> Measure:
    """Times of equal words, and what a collar of 5 s costs."""
    pair = transcripts.words(reference, hypothesis)
    moved = shifts(pair)
    displaced, n_moved = moved.displaced(), moved.moved()
    is_apart = not moved.by_s and bool(pair.reference.words or pair.hypothesis.words)
    distances = sorted(abs(by) for by in moved.by_s)
    median = quantile(sorted(moved.by_s), 0.5)
    edits = constrained_edits(pair)
    best = attributed(pair).best_edits
    untimely = {} if edits is None else {"tcp_edits": edits, "untimely": edits - best}
    return Measure(
        name="word_times",
        kind="graded",
        errors=displaced + SLIGHT * (n_moved - displaced),
        length=len(moved.by_s),
        counts={
            "displaced": displaced,
            "moved": n_moved,
            "aligned_words": len(moved.by_s),
            "reference_words": len(pair.reference.tokens),
            **untimely,
        },
        stats={
            "median_shift_s": median,
            "p95_shift_s": quantile(distances, 0.95),
            "slope": round(slope(moved.at_s, moved.by_s), 9),
            **(moved.lateness() if n_moved else {}),
        },
        hypothesis_text=f"median {median:+.2f} s" if n_moved else "same",
        hypothesis_amount=Amount(unit=Unit.SECOND, number=round(median, 2))
        if n_moved
        else Amount(unit=Unit.SAME),
        inconclusive="no word in common" if is_apart else "",
        note="too many words at one time: tcpWER not sought" if edits is None else "",
        step=STEP,
        normaliser=NORMALISER,
        findings=tuple(_findings(moved)) if n_moved else (),
    )


class _Entry(NamedTuple):
    """A word of a speaker's: how much later it starts and ends, when it starts, its place."""

    by_s: float
    end_s: float
    at_s: float
    place: int
    is_certain: bool


def _findings(found: Shifts) -> list[Finding]:
    """For each speaker whose words, or track, are displaced, and each who drifts."""
    by_speaker: dict[int, list[_Entry]] = {}
    for at, by, end, speaker, place, is_certain in zip(*found, strict=True):
        by_speaker.setdefault(speaker, []).append(_Entry(by, end, at, place, is_certain))
    return [
        finding
        for speaker, entries in sorted(by_speaker.items())
        for finding in (_displaced(speaker, entries), _drifting(speaker, entries))
        if finding
    ]


def _drifting(speaker: int, entries: list[_Entry]) -> Finding | None:
    """A track that ends later than it begins, from its last third on."""
    certain = [entry for entry in entries if entry.is_certain]
    by = drift([entry.by_s for entry in certain])
    if not is_noticed(by):
        return None
    first = certain[len(certain) - len(certain) // 3]
    return Finding(
        path=f"word_times/{speaker}/drift",
        step=STEP,
        severity=Severity.MAJOR,
        kind="moved",
        reference=0.0,
        hypothesis=by,
        at_s=first.at_s,
        position=first.place,
        speaker=speaker,
        message=f"the last third of {len(certain)} words moved by {by:+.3f} s from the first",
    )


def _displaced(speaker: int, entries: list[_Entry]) -> Finding | None:
    """Words that start elsewhere; where all start in time, words that end elsewhere."""
    is_late = is_noticed(offset([entry.by_s for entry in entries if entry.is_certain]))
    if not is_late and not any(_is_far(entry.by_s, entry.end_s) for entry in entries):
        return None
    median = quantile(sorted(entry.by_s for entry in entries), 0.5)
    is_offset = abs(median) > DISPLACED_S or is_late
    limit_s = min(DISPLACED_S, abs(median) / 2) if is_offset else DISPLACED_S
    displaced = [entry for entry in entries if abs(entry.by_s) > limit_s]
    what = "offset" if is_offset else "scatter" if displaced else "ends"
    if not displaced:
        displaced = [entry for entry in entries if abs(entry.end_s) > DISPLACED_S]
        median = quantile(sorted(entry.end_s for entry in entries), 0.5)
    first = min(displaced, key=lambda entry: (entry.at_s, entry.place))
    return Finding(
        path=f"word_times/{speaker}/{what}",
        step=STEP if what == "offset" else "transcribe_track",
        severity=Severity.MINOR if what == "scatter" else Severity.MAJOR,
        kind="moved",
        reference=0.0,
        hypothesis=median,
        at_s=first.at_s,
        position=first.place,
        speaker=speaker,
        message=f"{len(displaced)} of {len(entries)} words {_DID[what]}, median {median:+.3f} s",
    )


_DID = {"offset": "moved", "scatter": "moved", "ends": "end elsewhere"}

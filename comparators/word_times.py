"""Times of the words both sides have: median, p95 and slope of the start difference.

errors / length = equal words that start more than COLLAR_S apart / equal words.
The slope (least squares over the meeting) tells a stretch from an offset; each
speaker's own median tells which track's offset is wrong.
"""

from __future__ import annotations

from typing import NamedTuple

from comparators.columns import Pair, word_pair
from reflector_migrate.model import Finding, Measure, Observation, Severity

STEP = "pad_track"
COLLAR_S = 0.25


class Shifts(NamedTuple):
    """Of each equal word: when it starts in the reference, how much later, who says it."""

    at_s: list[float]
    by_s: list[float]
    speakers: list[int]


def shifts(pair: Pair) -> Shifts:
    """One entry for each word aligned with an equal one."""
    starts = [word.start for word in pair.reference.words]
    speakers = [word.speaker for word in pair.reference.words]
    other = [word.start for word in pair.hypothesis.words]
    mine, theirs = pair.reference.places, pair.hypothesis.places
    aligned = {
        mine[block.ref_start + k]: theirs[block.hyp_start + k]
        for block in reversed(pair.blocks)
        if block.tag == "equal"
        for k in reversed(range(block.ref_end - block.ref_start))
    }  # of a word with several tokens the first one counts
    found = sorted(aligned.items())
    return Shifts(
        [starts[i] for i, _ in found],
        [round(other[j] - starts[i], 6) for i, j in found],
        [speakers[i] for i, _ in found],
    )


def quantile(ordered: list[float], share: float) -> float:
    """The smallest value that `share` of the sorted values do not exceed; 0.0 of none."""
    return ordered[max(-(-len(ordered) * share // 1) - 1, 0).__int__()] if ordered else 0.0


def slope(at_s: list[float], by_s: list[float]) -> float:
    """Seconds of shift gained per second of meeting (least squares); 0.0 of fewer than two."""
    n = len(at_s)
    mean_at, mean_by = sum(at_s) / max(n, 1), sum(by_s) / max(n, 1)
    spread = sum((x - mean_at) ** 2 for x in at_s)
    if not spread:
        return 0.0
    return sum((x - mean_at) * (y - mean_by) for x, y in zip(at_s, by_s, strict=True)) / spread


def compare_word_times(reference: Observation, hypothesis: Observation) -> Measure:
    """Start times of equal words."""
    found = shifts(word_pair(reference, hypothesis))
    displaced = sum(1 for by in found.by_s if abs(by) > COLLAR_S)
    distances = sorted(abs(by) for by in found.by_s)
    median = quantile(sorted(found.by_s), 0.5)
    return Measure(
        name="word_times",
        kind="graded",
        errors=displaced,
        length=len(found.by_s),
        counts={"displaced": displaced, "aligned_words": len(found.by_s)},
        stats={
            "median_shift_s": median,
            "p95_shift_s": quantile(distances, 0.95),
            "slope": round(slope(found.at_s, found.by_s), 9),
        },
        hypothesis_text=f"median {median:+.2f} s" if displaced else "same",
        step=STEP,
        findings=tuple(_findings(found)) if displaced else (),
    )


def _findings(found: Shifts) -> list[Finding]:
    """One for each speaker whose words are displaced, with that speaker's median shift."""
    by_speaker: dict[int, list[tuple[float, float]]] = {}
    for at, by, speaker in zip(*found, strict=True):
        by_speaker.setdefault(speaker, []).append((by, at))
    return [
        _finding(speaker, entries)
        for speaker, entries in sorted(by_speaker.items())
        if any(abs(by) > COLLAR_S for by, _ in entries)
    ]


def _finding(speaker: int, entries: list[tuple[float, float]]) -> Finding:
    median = quantile(sorted(by for by, _ in entries), 0.5)
    displaced = [(by, at) for by, at in entries if abs(by) > COLLAR_S]
    whole = abs(median) > COLLAR_S
    return Finding(
        path=f"word_times/{speaker}/{'offset' if whole else 'scatter'}",
        step=STEP if whole else "transcribe_track",
        severity=Severity.MAJOR if whole else Severity.MINOR,
        kind="moved",
        reference=0.0,
        hypothesis=median,
        at_s=min(at for _, at in displaced),
        speaker=speaker,
        message=f"{len(displaced)} of {len(entries)} words moved, median {median:+.3f} s",
    )

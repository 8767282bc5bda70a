"""How far the legacy pipeline lies from itself, and what a candidate adds to that.

Formulas are those of the gating rules: with L1, L2 two legacy runs and C the
candidate, x = (d(L1,C) + d(L2,C)) / 2 - d(L1,L2) is at least the true change;
shift = 2 d(L,C) - d(L1,L2) - d(C1,C2) shows a quieter but biased candidate.

Were the candidate legacy's equal, the three runs of a recording could change places: the excess
of L1 or L2, taken for the candidate, is then distributed as x. A candidate that is worse makes
those two smaller. So they show how large x becomes by noise alone, and no third legacy run is
needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from comparators.registry import base_language
from reflector_migrate.model import Observation

MIN_PAIRS = 20
"""With fewer, one in twenty unaltered candidates lies beyond all of them: no percentile yet."""

PAUSE_S, SILENT = 3.0, 0.5
"""No speech for so long is a silence; for that share of a meeting, another stratum."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The 99th percentile of divergence between two legacy runs, and of how many pairs."""

    p99: float
    n: int


@dataclass(frozen=True, slots=True)
class NoiseFloors:
    """Floors by (measure, stratum); one stratum's noise excuses nothing in another."""

    floors: Mapping[tuple[str, str], Floor] = field(default_factory=dict)
    pairs: int = 0
    excesses: Mapping[tuple[str, str], Floor] = field(default_factory=dict)
    """The 99th percentile of the excess that noise alone makes, and of how many recordings."""

    def of(self, measure: str, stratum: str) -> Floor | None:
        """The stratum's own floor; None where no pair of it is known."""
        return self.floors.get((measure, stratum))

    def excess_of(self, measure: str, stratum: str) -> Floor | None:
        """What excess noise alone makes in the stratum; None where no recording shows it."""
        return self.excesses.get((measure, stratum))


def excess(d_l1c: float, d_l2c: float, d_l1l2: float) -> float:
    """Excess divergence x of one recording, in the unit of its arguments."""
    return (d_l1c + d_l2c) / 2 - d_l1l2


def exchanged(d_l1c: float, d_l2c: float, d_l1l2: float) -> tuple[float, float]:
    """The excess of L1, then of L2, each taken for the candidate beside the other two."""
    return excess(d_l1l2, d_l1c, d_l2c), excess(d_l1l2, d_l2c, d_l1c)


def shift(d_lc: float, d_l1l2: float, d_c1c2: float) -> float:
    """What two runs of each side differ by beyond what either differs from itself."""
    return 2 * d_lc - d_l1l2 - d_c1c2


def p99(divergences: Iterable[float]) -> Floor | None:
    """The smallest value at least 99 % do not exceed (with under 100 values: the largest)."""
    ordered = sorted(divergences)
    if not ordered:
        return None
    return Floor(ordered[math.ceil(0.99 * len(ordered)) - 1], len(ordered))


def floors_of(pairs: Iterable[tuple[str, Mapping[str, float | None]]]) -> NoiseFloors:
    """Floors from legacy-against-legacy pairs, each (stratum, divergence by measure).

    A divergence of None (nothing to measure) counts nowhere.
    """
    collected: dict[tuple[str, str], list[float]] = {}
    n_pairs = 0
    for stratum, divergences in pairs:
        n_pairs += 1
        for measure, value in divergences.items():
            if value is not None:
                collected.setdefault((measure, stratum), []).append(value)
    found = {key: p99(values) for key, values in collected.items()}
    return NoiseFloors({key: floor for key, floor in found.items() if floor}, n_pairs)


def excesses_of(
    recordings: Iterable[tuple[str, Mapping[str, Sequence[float]]]],
) -> Mapping[tuple[str, str], Floor]:
    """Floors of the excess by (measure, stratum), from each recording's exchanged excesses.

    Never below 0: by noise alone the three sum to 0, so a percentile below it is the mark of a
    worse candidate, and a recording without any excess must not be held against that.
    """
    collected: dict[tuple[str, str], list[Sequence[float]]] = {}
    for stratum, exchanged_by_measure in recordings:
        for measure, values in exchanged_by_measure.items():
            collected.setdefault((measure, stratum), []).append(values)
    found = {key: p99(chain.from_iterable(each)) for key, each in collected.items()}
    return {
        key: Floor(max(0.0, floor.p99), len(collected[key]))
        for key, floor in found.items()
        if floor
    }


def stratum_of(observation: Observation) -> str:
    """The recording's stratum by number of tracks, language, length and silence."""
    tracks = observation.track_count or len(observation.outputs.participants)
    minutes = (observation.outputs.duration_ms or 0) / 60_000
    silence = "half" if silence_s(observation) > minutes * 60 * SILENT else "little"
    return f"{base_stratum(tracks, minutes * 60, observation.language)} silence:{silence}"


def base_stratum(tracks: int, duration_s: float, language: str | None) -> str:
    """The stratum as far as it is known without the words."""
    size = "1" if tracks <= 1 else "2-4" if tracks <= 4 else "5+"
    length = "short" if duration_s < 900 else "medium" if duration_s < 3600 else "long"
    return f"tracks:{size} language:{base_language(language) or 'unknown'} length:{length}"


def silence_s(observation: Observation) -> float:
    """Seconds without a word, pauses of speech aside."""
    end, silent = 0.0, 0.0
    for word in sorted(observation.outputs.words, key=lambda word: word.start):
        silent += word.start - end if word.start - end > PAUSE_S else 0.0
        end = max(end, word.end)
    rest = (observation.outputs.duration_ms or 0) / 1000 - end
    return silent + (rest if rest > PAUSE_S else 0.0)

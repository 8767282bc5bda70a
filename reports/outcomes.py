"""Who finished: both sides against each other, and how the night divides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reflector_migrate.model import Gist
from reports.rows import OUTCOMES, outcome


@dataclass(frozen=True, slots=True)
class Cell:
    """How many recordings ended this way on the primary and that way on the candidate."""

    primary: str
    candidate: str
    recordings: int

    @property
    def is_one_sided(self) -> bool:
        """One side finished and the other did not."""
        return self.primary != self.candidate


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the night: its recordings and how many of them diverged."""

    name: str
    recordings: int
    diverged: int


def matrix(gists: Iterable[Gist]) -> tuple[tuple[Cell, ...], ...]:
    """Rows by the primary's outcome, columns by the candidate's, in the order of OUTCOMES."""
    counts: dict[tuple[str, str], int] = {}
    for gist in gists:
        key = (outcome(gist.primary_status), outcome(gist.candidate_status))
        counts[key] = counts.get(key, 0) + 1
    return tuple(
        tuple(
            Cell(reference, hypothesis, counts.get((reference, hypothesis), 0))
            for hypothesis in OUTCOMES
        )
        for reference in OUTCOMES
    )


def strata(gists: Iterable[Gist]) -> tuple[Stratum, ...]:
    """By number of tracks and by language; a recording of unknown kind is a kind of its own."""
    counts: dict[str, list[int]] = {}
    for gist in gists:
        for name in (_tracks(gist.tracks), f"language {gist.language or '?'}"):
            entry = counts.setdefault(name, [0, 0])
            entry[0] += 1
            entry[1] += gist.verdict == "DIVERGED"
    return tuple(Stratum(name, *counts[name]) for name in sorted(counts))


def _tracks(number: int | None) -> str:
    if not number:
        return "tracks ?"
    return f"tracks {'1' if number == 1 else '2-4' if number <= 4 else '5+'}"

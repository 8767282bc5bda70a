"""A value held against how far the primary's engine lies from itself."""

from __future__ import annotations

from dataclasses import dataclass

from reflector_migrate.judge.context import Grounds
from reflector_migrate.judge.cross_run import FACTS
from reflector_migrate.judge.noise import DEFAULT_MARGIN, MARGINS, MIN_PAIRS, Floor
from reflector_migrate.model import Verdict

FEW_PAIRS_FACTOR = 4.0
"""Few A/A pairs are no percentile: beyond their limit is inconclusive, beyond 4 x it differs."""
MIN_EDITS = 5
"""And not by fewer edits than these: of two runs with equally many errors to come, one has
none and the other five or more at most once in a hundred (Poisson, at its worst rate)."""
OUT = "`migrate compare RECORDING --secondary` in a sandbox makes one"
"""Where a floor comes from."""
WRITTEN = FACTS | {
    "topic_boundaries", "topic_content", "title", "short_summary", "long_summary",
}  # fmt: skip
"""By a language model: two texts that happen to agree say nothing of how far a third may lie."""


@dataclass(frozen=True, slots=True)
class Held:
    """A value held against a floor, and what came of it."""

    verdict: Verdict
    rule: str
    value: float | None = None
    floor: Floor | None = None
    margin: float = 0.0
    note: str = ""

    @property
    def limit(self) -> float | None:
        """The floor plus the practical margin."""
        return self.floor.p99 + self.margin if self.floor else None


def hold(name: str, value: float, edits: float, grounds: Grounds) -> Held:
    """Against the stratum's percentile, else this recording's own A/A pair, else nothing is known.

    `edits` is what the value counts. Few stored pairs are no percentile: they can only
    show that a value lies far beyond.
    """
    measure = name.partition("/")[0]
    margin = 0.0 if measure in FACTS else MARGINS.get(measure, DEFAULT_MARGIN)
    stored = grounds.floors.of(name, grounds.stratum) if grounds.floors else None
    own = grounds.repeats.between_legacy.get(name)
    is_own = own is not None and (stored is None or stored.n < MIN_PAIRS)
    floor = Floor(own, 1) if own is not None and is_own else stored
    if floor is None:
        return Held(Verdict.INCONCLUSIVE, "no-floor", value, note=_unmeasured(measure, grounds))
    rule, note = (
        ("own-secondary", "its own A/A pair only") if is_own
        else ("aa-p99+margin", _few(floor, grounds.stratum))
    )  # fmt: skip
    if floor.p99 + margin >= 1:
        note = f"a limit of {floor.p99 + margin:.2f} excludes nothing"
        return Held(Verdict.INCONCLUSIVE, "floor-too-wide", value, floor, margin, note)
    highest = max(floor.p99, stored.p99 if stored else 0.0) + margin
    is_far = value > FEW_PAIRS_FACTOR * highest and (
        grounds.is_repeatable or (edits >= MIN_EDITS and measure not in WRITTEN)
    )
    verdict = _beside(value, floor, margin, is_own=is_own, is_far=is_far)
    return Held(verdict, rule, value, floor, margin, note)


def _unmeasured(measure: str, grounds: Grounds) -> str:
    """No pair of the stratum at all, or none that measured this part, being older than it."""
    if not grounds.floors:
        return ""
    is_older = grounds.floors.of(measure, grounds.stratum)
    without = f" has this measured: {OUT}" if is_older else ""
    return f"no A/A pair of {grounds.stratum}{without}"


def _few(floor: Floor, stratum: str) -> str:
    return f"{floor.n} A/A pairs of {MIN_PAIRS} in {stratum}" if floor.n < MIN_PAIRS else ""


def _beside(value: float, floor: Floor, margin: float, *, is_own: bool, is_far: bool) -> Verdict:
    """Within the limit of enough pairs or of its own; beyond that of enough, or far beyond."""
    is_known = floor.n >= MIN_PAIRS
    if value <= floor.p99 + margin:
        return Verdict.WITHIN_NOISE if is_known or is_own else Verdict.INCONCLUSIVE
    return Verdict.DIVERGED if is_known or is_far else Verdict.INCONCLUSIVE

"""What further runs of either engine tell about each measure.

With L1 the primary, L2 the secondary, C the candidate and C2 an earlier run of the
same candidate: d(L1, L2), d(L2, C) and d(C2, C), each by the same comparators.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from comparators.facts.substituted_facts import GROUPS, altered
from comparators.registry import COMPARATORS, Comparator
from comparators.summary_facts import SUMMARY, TITLE
from comparators.track_times import shares as time_shares
from reflector_migrate.judge.noise import excess, shift
from reflector_migrate.model import Measure, Observation

FACTS = frozenset({TITLE, SUMMARY})
TIMES = "word_times"
INVENTED = "/invented"
"""A measure of facts has further divergences: the share that nobody said, those altered."""

Divergences = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Divergence by measure between each two runs; empty where one of them did not complete."""

    between_legacy: Divergences = field(default_factory=dict)
    from_secondary: Divergences = field(default_factory=dict)
    between_candidates: Divergences = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    """Tracebacks of comparators that raised on a further run, by name."""

    @property
    def has_pair(self) -> bool:
        """Whether the primary's engine ran twice to its end."""
        return bool(self.between_legacy)

    def excess(self, name: str, value: float | None) -> float | None:
        """x of this recording, where all three distances are known."""
        others = self.from_secondary.get(name), self.between_legacy.get(name)
        if value is None or others[0] is None or others[1] is None:
            return None
        return excess(value, others[0], others[1])

    def shift(self, name: str, value: float | None) -> float | None:
        """What both engines differ by beyond what either differs from itself."""
        others = self.between_legacy.get(name), self.between_candidates.get(name)
        if value is None or others[0] is None or others[1] is None:
            return None
        return shift(value, others[0], others[1])


def repeats_of(
    reference: Observation,
    hypothesis: Observation,
    secondary: Observation | None,
    earlier: Observation | None,
    comparators: Sequence[Comparator] = COMPARATORS,
) -> Repeats:
    """All distances that the runs at hand allow; a comparator that raises is told as broken."""
    if secondary is None or secondary.status != "completed" or reference.status != "completed":
        return Repeats()
    has_two = earlier is not None and _is_fresh(earlier) and _is_fresh(hypothesis)
    broken: dict[str, str] = {}
    return Repeats(
        divergences(reference, secondary, comparators, broken),
        divergences(secondary, hypothesis, comparators, broken),
        divergences(earlier, hypothesis, comparators, broken) if has_two and earlier else {},
        broken,
    )


def _is_fresh(observation: Observation) -> bool:
    """Whether a run completed on answers of its own: one that repeats another's shows no noise."""
    is_cached = any(step.usage.cache_hits for step in observation.steps)
    return observation.status == "completed" and not is_cached


def divergences(
    reference: Observation,
    hypothesis: Observation,
    comparators: Sequence[Comparator] = COMPARATORS,
    broken: dict[str, str] | None = None,
) -> dict[str, float | None]:
    """Divergence of every measure that can enter a verdict; what cannot be told is left out.

    A comparator that raises is left out too; its traceback is put into `broken`.
    """
    found: dict[str, float | None] = {}
    for comparator in comparators:
        try:
            measure = comparator.compare(reference, hypothesis)
        except Exception:  # whatever one comparator does, the others still report
            if broken is not None:
                broken[comparator.name] = traceback.format_exc()
            continue
        if measure.kind != "informational" and not measure.inconclusive:
            found[comparator.name] = measure.divergence
            found |= parts_of(measure, reference, hypothesis)
    return found


def parts_of(
    measure: Measure, reference: Observation, hypothesis: Observation
) -> dict[str, float | None]:
    """What is held against a floor of its own beside the whole: parts of facts and of times."""
    if measure.name in FACTS:
        return fact_shares(measure, reference, hypothesis)
    return time_shares(measure) if measure.name == TIMES else {}


def fact_shares(
    measure: Measure, reference: Observation, hypothesis: Observation
) -> dict[str, float | None]:
    """Shares of all facts, by name: what its own transcript does not hold, what was altered."""
    groups = altered(measure, reference, hypothesis) if measure.length else dict.fromkeys(GROUPS, 0)
    counts: dict[str, float] = {f"/altered {group}": number for group, number in groups.items()}
    counts[INVENTED] = measure.counts.get("unsupported", 0)
    length = measure.length
    return {measure.name + name: n / length if length else None for name, n in counts.items()}

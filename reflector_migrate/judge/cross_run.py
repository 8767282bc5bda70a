"""What further runs of either engine show about each measure.

With L1 the primary, L2 the secondary, C the candidate and C2 an earlier run of the
same candidate: d(L1, L2), d(L2, C) and d(C2, C), each by the same comparators.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from comparators.registry import MEASURES, Measures, Transcripts
from reflector_migrate.judge.noise import excess, exchanged, shift
from reflector_migrate.model import Measure, Observation

Divergences = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Divergence by measure between each two runs; empty where one of them did not complete."""

    between_legacy: Divergences = field(default_factory=dict)
    from_secondary: Divergences = field(default_factory=dict)
    between_candidates: Divergences = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    """Tracebacks of comparators that raised on a further run, by name."""
    legacy_measures: Mapping[str, Measure] = field(default_factory=dict)
    """What the two legacy runs' own divergences are of, by name."""

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

    def exchanged(self, measures: Iterable[Measure]) -> dict[str, tuple[float, float]]:
        """Of each measure and part: the excess of either legacy run, taken for the candidate."""
        found = {}
        for one in (each for measure in measures for each in (measure, *measure.parts)):
            others = self.from_secondary.get(one.name), self.between_legacy.get(one.name)
            if one.divergence is not None and others[0] is not None and others[1] is not None:
                found[one.name] = exchanged(one.divergence, others[0], others[1])
        return found

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
    measures: Measures = MEASURES,
    transcripts: Transcripts | None = None,
) -> Repeats:
    """All distances that the runs at hand allow; a comparator that raises is listed as broken."""
    if secondary is None or secondary.status != "completed" or reference.status != "completed":
        return Repeats()
    read, broken = transcripts or Transcripts(), dict[str, str]()
    has_two = earlier is not None and _is_fresh(earlier) and _is_fresh(hypothesis)
    between_legacy = _measured(reference, secondary, measures, read, broken)
    from_secondary = _measured(secondary, hypothesis, measures, read, broken)
    between_candidates = (
        _measured(earlier, hypothesis, measures, read, broken) if has_two and earlier else {}
    )
    return Repeats(
        _divergences(between_legacy),
        _divergences(from_secondary),
        _divergences(between_candidates),
        broken,
        between_legacy,
    )


def _is_fresh(observation: Observation) -> bool:
    """Whether a run completed on answers of its own: one that repeats another's shows no noise."""
    is_cached = any(step.usage.cache_hits for step in observation.steps)
    return observation.status == "completed" and not is_cached


def divergences(
    reference: Observation, hypothesis: Observation, measures: Measures = MEASURES
) -> dict[str, float | None]:
    """Divergence of every measure that can enter a verdict, and of its parts.

    What is inconclusive is left out, and so is a measure whose comparator raises.
    """
    return _divergences(_measured(reference, hypothesis, measures, Transcripts(), {}))


def _measured(
    reference: Observation,
    hypothesis: Observation,
    measures: Measures,
    transcripts: Transcripts,
    broken: dict[str, str],
) -> dict[str, Measure]:
    """Every measure by name; the traceback of a comparator that raises is put into `broken`."""
    found: dict[str, Measure] = {}
    for spec in measures:
        try:
            found[spec.name] = spec.compare(reference, hypothesis, transcripts)
        except Exception:  # whatever one comparator does, the others still report
            broken[spec.name] = traceback.format_exc()
    return found


def _divergences(measured: Mapping[str, Measure]) -> dict[str, float | None]:
    counting = [
        measure
        for measure in measured.values()
        if measure.kind != "informational" and not measure.inconclusive
    ]
    return {
        each.name: each.divergence for measure in counting for each in (measure, *measure.parts)
    }

"""The one frozen document behind the nightly page, whatever it is rendered as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reflector_migrate.model import Comparison, Verdict


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of every recording the primary announced; the first number shown."""

    eligible: int
    compared: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Announced, and neither compared, skipped nor failed: still running or lost."""
        accounted = self.compared + sum(self.skipped.values()) + sum(self.failed.values())
        return max(0, self.eligible - accounted)

    @property
    def share(self) -> float | None:
        """Compared out of those eligible and not skipped on purpose; None for none."""
        wanted = self.eligible - sum(self.skipped.values())
        return self.compared / wanted if wanted else None


@dataclass(frozen=True, slots=True)
class GateLine:
    """One gate or checklist item as shown: state is PASS, FAIL or INCONCLUSIVE."""

    name: str
    state: str
    value: str
    limit: str
    n: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One night's verdict counts."""

    night: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Night:
    """Everything a nightly page shows; times are ISO-8601 UTC, given by the caller."""

    night: str
    generated_at: str
    coverage: Coverage
    comparisons: tuple[Comparison, ...]
    gates: tuple[GateLine, ...] = ()
    trend: tuple[TrendPoint, ...] = ()
    rules: str = ""
    is_redacted: bool = True

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; nothing compared is INCONCLUSIVE."""
        return Verdict.worst([comparison.verdict for comparison in self.comparisons])

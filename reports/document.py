"""The one frozen document behind the nightly page, whatever it is rendered as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reflector_migrate.model import Comparison, Verdict


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of every recording that the primary took up; the first number shown.

    `lost` names those that it never announced, a part of the missing ones; `unread`
    says why its own rows could not be asked, in which case nobody knows of any.
    """

    eligible: int
    compared: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    unread: str = ""

    @property
    def missing(self) -> int:
        """Neither compared, skipped nor failed: still running, or lost on the way."""
        accounted = self.compared + sum(self.skipped.values()) + sum(self.failed.values())
        return max(0, self.eligible - accounted)

    @property
    def wanted(self) -> int:
        """Those eligible and not skipped on purpose."""
        return max(0, self.eligible - sum(self.skipped.values()))

    @property
    def share(self) -> float | None:
        """Compared out of those wanted; None for none."""
        return self.compared / self.wanted if self.wanted else None


@dataclass(frozen=True, slots=True)
class GateLine:
    """One gate or checklist item as shown: state is PASS, FAIL or INCONCLUSIVE.

    `since` is the night on which the state was first reached, "" where unknown.
    """

    name: str
    state: str
    value: str
    limit: str
    n: int
    why: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One night's verdict counts; the evidence W+ it left behind, and builds first seen on it."""

    night: str
    counts: Mapping[str, int]
    evidence: float | None = None
    deployed: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A rule that keeps a difference out of the comparison, and how often it did tonight."""

    path: str
    reason: str
    hits: int | None = None


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
    window: tuple[str, str] | None = None
    ignored: tuple[Ignored, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; nothing compared, or something lost, is at best INCONCLUSIVE."""
        found = [comparison.verdict for comparison in self.comparisons]
        if self.coverage.missing or self.coverage.failed or self.coverage.unread:
            found.append(Verdict.INCONCLUSIVE)
        return Verdict.worst(found)

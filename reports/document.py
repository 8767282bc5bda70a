"""The one frozen document behind the nightly page, whatever it is rendered as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reflector_migrate.model import Comparison, Gist, Verdict, gist_of


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of every recording that the primary took up; the first number shown.

    `lost` names those that it never announced, a part of the missing ones; `unread`
    says why its own rows could not be read, in which case lost ones are unknown.
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

    `since` is the night on which the state was first reached, "" where unknown. One that
    `is_report_only` is shown and decides nothing.
    """

    name: str
    state: str
    value: str
    limit: str
    n: int
    why: str = ""
    since: str = ""
    is_report_only: bool = False


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
    """Everything a nightly page shows, filled before it is rendered; times are ISO-8601 UTC.

    `comparisons` are those shown in full. `gists` count every comparison of the night, and
    `places` says where among them each of `comparisons` stands. Leave both out where
    `comparisons` are all there are. `seeded` counts comparisons that were left out: of a
    sandbox those with a seeded defect, of a deployment a sandbox's. `is_sandbox` says that
    no deployment is behind the page.
    """

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
    gists: tuple[Gist, ...] = ()
    places: tuple[int, ...] = ()
    seeded: int = 0
    is_sandbox: bool = False
    audit_head: str = ""

    def __post_init__(self) -> None:
        """Count the comparisons given where no gists are."""
        if self.comparisons and not self.gists:
            object.__setattr__(self, "gists", tuple(map(gist_of, self.comparisons)))
            object.__setattr__(self, "places", tuple(range(len(self.comparisons))))

    def documents(self, places: Iterable[int]) -> list[Comparison]:
        """The comparisons at these places of `gists`. Raises KeyError for one not shown in full."""
        at = dict(zip(self.places, self.comparisons, strict=True))
        return [at[place] for place in places]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; nothing compared, or something lost, is at best INCONCLUSIVE."""
        found = [Verdict(verdict) for verdict in {gist.verdict for gist in self.gists}]
        if self.coverage.missing or self.coverage.failed or self.coverage.unread:
            found.append(Verdict.INCONCLUSIVE)
        return Verdict.worst(found)

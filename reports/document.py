"""The one frozen document behind the nightly page, whatever it is rendered as."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, overload

from reflector_migrate.model import Comparison, Gist, Verdict, gist_of

Read: TypeAlias = Callable[[Sequence[int]], Sequence[Comparison]]


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


class Documents(Sequence[Comparison]):
    """Comparisons that are read when somebody looks at them; the gist of each is at hand."""

    AT_ONCE = 500

    def __init__(self, gists: tuple[Gist, ...], read: Read) -> None:
        """`read` gives the comparisons at these places, in the order asked for."""
        self.gists, self.read = gists, read

    def __len__(self) -> int:
        """How many there are; nothing is read for it."""
        return len(self.gists)

    @overload
    def __getitem__(self, place: int) -> Comparison: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Comparison]: ...
    def __getitem__(self, place: int | slice) -> Comparison | Sequence[Comparison]:
        """One, or those of a slice read together."""
        places = range(len(self))[place]
        return self.read([places])[0] if isinstance(places, int) else self.read(places)

    def __iter__(self) -> Iterator[Comparison]:
        """All of them, a portion at a time."""
        for start in range(0, len(self), self.AT_ONCE):
            yield from self[start : start + self.AT_ONCE]


@dataclass(frozen=True, slots=True)
class Night:
    """Everything a nightly page shows; times are ISO-8601 UTC, given by the caller.

    Whatever is counted is counted from the gists, which are the comparisons' own.
    """

    night: str
    generated_at: str
    coverage: Coverage
    comparisons: Sequence[Comparison]
    gates: tuple[GateLine, ...] = ()
    trend: tuple[TrendPoint, ...] = ()
    rules: str = ""
    is_redacted: bool = True
    window: tuple[str, str] | None = None
    ignored: tuple[Ignored, ...] = ()
    limits: tuple[str, ...] = ()
    gists: tuple[Gist, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Gists come with documents that are not read yet, and are made of others."""
        given = self.comparisons
        found = given.gists if isinstance(given, Documents) else tuple(map(gist_of, given))
        object.__setattr__(self, "gists", found)

    def documents(self, places: Sequence[int]) -> Sequence[Comparison]:
        """The comparisons at these places, in the order asked for."""
        given = self.comparisons
        return given.read(places) if isinstance(given, Documents) else [given[p] for p in places]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; nothing compared, or something lost, is at best INCONCLUSIVE."""
        found = [Verdict(verdict) for verdict in {gist.verdict for gist in self.gists}]
        if self.coverage.missing or self.coverage.failed or self.coverage.unread:
            found.append(Verdict.INCONCLUSIVE)
        return Verdict.worst(found)

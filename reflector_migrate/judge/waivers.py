"""Dated, owned, expiring, capped exceptions; and known legacy defects a candidate may fix.

A waived finding stays in its check with the waiver's reason on it, and is counted.
Whether a waiver has expired is judged against a date passed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from reflector_migrate.model import Finding, Measure, Severity


@dataclass(frozen=True, slots=True)
class Waiver:
    """path: a finding's path with wildcards (`*` spans slashes), or a measure's name.

    cap: how many findings of one recording it may cover, over all measures; None for any.
    An improvement is a known legacy defect that the candidate fixes. It has no expiry,
    and is as narrow as can be said: kind of finding, what legacy does, what the fix does.
    """

    path: str
    reason: str
    owner: str = ""
    expiry: date | None = None
    cap: int | None = None
    is_improvement: bool = False
    kind: str | None = None
    legacy: Any = None
    fixed: Any = None

    def is_valid(self, today: date | None) -> bool:
        """Not expired on `today`; without a date only what never expires is valid."""
        return self.expiry is None or (today is not None and today <= self.expiry)

    def covers(self, path: str) -> bool:
        """Whether a finding's path, or a measure's name, is meant."""
        return fnmatchcase(path, self.path)

    def means(self, finding: Finding) -> bool:
        """Whether this very finding is meant, by path, kind and both values."""
        is_named = self.covers(finding.path) or self.covers(finding.path.split("/")[0])
        stated = (
            (self.kind, finding.kind),
            (self.legacy, finding.reference),
            (self.fixed, finding.hypothesis),
        )
        return is_named and all(said is None or said == seen for said, seen in stated)

    @property
    def label(self) -> str:
        """What a reader sees on a waived finding."""
        if self.is_improvement:
            return f"improvement: {self.reason}"
        until = f" until {self.expiry.isoformat()}" if self.expiry else ""
        return f"{self.reason} ({self.owner}{until})"


@dataclass(frozen=True, slots=True)
class Waived:
    """A measure with its waived findings marked, and how many stand and why."""

    measure: Measure
    standing: int
    waived: int
    improved: int
    notes: tuple[str, ...]

    @property
    def is_covered(self) -> bool:
        """Something was waived, and nothing is left."""
        return not self.standing and bool(self.waived or self.improved)


def apply(
    measure: Measure,
    waivers: Iterable[Waiver],
    today: date | None,
    spent: Counter[Waiver] | None = None,
) -> Waived:
    """Mark what is waived. `spent` carries what caps have given from measure to measure."""
    listed = [waiver for waiver in waivers if _concerns(waiver, measure)]
    holding = [waiver for waiver in listed if waiver.is_valid(today)]
    used = Counter[Waiver]() if spent is None else spent
    marked = tuple(_marked(finding, holding, used) for finding in measure.findings)
    improved = sum(1 for f in marked if f.waiver.startswith("improvement: "))
    waived = sum(1 for f in marked if f.waiver) - improved
    notes = [f"{n} waived: {label}" for label, n in _counts(marked).items()]
    notes += [expired_note(w, today) for w in listed if w not in holding]
    return Waived(
        measure.model_copy(update={"findings": marked}),
        len(marked) - waived - improved + measure.findings_truncated,
        waived,
        improved,
        tuple(notes),
    )


def expired_note(waiver: Waiver, today: date | None) -> str:
    """A waiver that does not hold any more, by name; without a date, why that is unknown."""
    if today is None:
        return f"waiver of {waiver.path} does not hold: no date to judge it by"
    return f"waiver of {waiver.path} ({waiver.owner}) expired on {waiver.expiry}"


def expired(waivers: Sequence[Waiver], today: date | None) -> tuple[str, ...]:
    """A note for each waiver that does not hold, whether or not anything needed it."""
    return tuple(expired_note(w, today) for w in waivers if not w.is_valid(today))


def _concerns(waiver: Waiver, measure: Measure) -> bool:
    return any(waiver.means(finding) for finding in measure.findings)


def _marked(finding: Finding, waivers: Sequence[Waiver], used: Counter[Waiver]) -> Finding:
    """The finding with the first waiver that means it and has not reached its cap."""
    for waiver in waivers:
        if waiver.means(finding) and (waiver.cap is None or used[waiver] < waiver.cap):
            used[waiver] += 1
            changes: dict[str, Any] = {"waiver": waiver.label}
            if waiver.is_improvement:
                changes["severity"] = Severity.INFO
            return finding.model_copy(update=changes)
    return finding


def _counts(findings: Iterable[Finding]) -> Counter[str]:
    return Counter(finding.waiver for finding in findings if finding.waiver)

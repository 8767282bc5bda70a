"""Dated, owned, expiring, capped exceptions; and known legacy defects a candidate may fix.

A waived finding stays in its check with the waiver's reason on it. Whether a
waiver has expired is judged against a date passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from reflector_migrate.errors import InputError
from reflector_migrate.model import Finding, Measure, Severity


@dataclass(frozen=True, slots=True)
class Waiver:
    """path: a finding's path with wildcards, or a measure's name.

    An improvement is a known legacy defect that the candidate fixes; it has no
    expiry. cap: how many findings of one recording it may cover, None for any.
    """

    path: str
    reason: str
    owner: str = ""
    expiry: date | None = None
    cap: int | None = None
    is_improvement: bool = False

    def is_valid(self, today: date | None) -> bool:
        """Not expired on `today`; without a date only what never expires is valid."""
        return self.expiry is None or (today is not None and today <= self.expiry)

    def covers(self, path: str) -> bool:
        """Whether a finding's path, or a measure's name, is meant."""
        return fnmatchcase(path, self.path)

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


def parse_waivers(data: Mapping[str, Any]) -> tuple[Waiver, ...]:
    """Waivers from parsed TOML: tables [[waiver]] and [[known_legacy_defect]].

    A waiver needs path, reason, owner and expiry; a defect path and reason.
    Raises InputError naming what is missing.
    """
    waivers = [_waiver(entry, n) for n, entry in enumerate(data.get("waiver", ()), start=1)]
    defects = data.get("known_legacy_defect", ())
    return (*waivers, *(_defect(entry, n) for n, entry in enumerate(defects, start=1)))


def _waiver(entry: Mapping[str, Any], number: int) -> Waiver:
    _need(entry, ("path", "reason", "owner", "expiry"), f"waiver {number}")
    expiry = entry["expiry"]
    if not isinstance(expiry, date):
        try:
            expiry = date.fromisoformat(str(expiry))
        except ValueError as error:
            raise InputError(f"waiver {number}: expiry {entry['expiry']!r} is no date") from error
    cap = entry.get("cap")
    return Waiver(entry["path"], entry["reason"], entry["owner"], expiry, cap)


def _defect(entry: Mapping[str, Any], number: int) -> Waiver:
    _need(entry, ("path", "reason"), f"known legacy defect {number}")
    return Waiver(entry["path"], entry["reason"], is_improvement=True)


def _need(entry: Mapping[str, Any], fields: Sequence[str], where: str) -> None:
    missing = [field for field in fields if entry.get(field) in {None, ""}]
    if missing:
        raise InputError(f"{where} has no {', '.join(missing)}")


def apply(measure: Measure, waivers: Iterable[Waiver], today: date | None) -> Waived:
    """Mark what is waived; caps are counted over this measure's findings."""
    listed = [waiver for waiver in waivers if _concerns(waiver, measure)]
    expired = [w for w in listed if not w.is_valid(today)]
    left = {id(w): w.cap for w in listed if w.is_valid(today)}
    marked = [_marked(f, [w for w in listed if id(w) in left], left) for f in measure.findings]
    by_label = _counts(marked)
    improved = sum(1 for f in marked if f.waiver.startswith("improvement: "))
    waived = sum(1 for f in marked if f.waiver) - improved
    notes = [f"{n} waived: {label}" for label, n in by_label.items()]
    notes += [f"waiver of {w.path} expired on {w.expiry}" for w in expired]
    return Waived(
        measure.model_copy(update={"findings": tuple(marked)}),
        len(marked) - waived - improved + measure.findings_truncated,
        waived,
        improved,
        tuple(notes),
    )


def _concerns(waiver: Waiver, measure: Measure) -> bool:
    return waiver.covers(measure.name) or any(waiver.covers(f.path) for f in measure.findings)


def _marked(finding: Finding, waivers: list[Waiver], left: dict[int, int | None]) -> Finding:
    """The finding with the first waiver that covers it and has not reached its cap."""
    for waiver in waivers:
        cap = left[id(waiver)]
        name = finding.path.split("/")[0]
        if (waiver.covers(finding.path) or waiver.covers(name)) and cap != 0:
            left[id(waiver)] = None if cap is None else cap - 1
            changes: dict[str, Any] = {"waiver": waiver.label}
            if waiver.is_improvement:
                changes["severity"] = Severity.INFO
            return finding.model_copy(update=changes)
    return finding


def _counts(findings: Iterable[Finding]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for finding in findings:
        if finding.waiver:
            counts[finding.waiver] = counts.get(finding.waiver, 0) + 1
    return counts

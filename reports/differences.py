"""What is different tonight: findings grouped by step, wildcarded path and kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reflector_migrate.model import STEP_NAMES, Check, Comparison, Finding, Severity, Verdict
from reports.text import clipped

_VARYING = re.compile(
    r"(?:\d+|[0-9a-f]{8,}|[0-9a-f-]{32,}|[a-z]{1,6}[ _-]?\d+(?:\.\w+)?)(?:#\d+)?", re.IGNORECASE
)
"""Numbers, ids, and names that end in a number (track 3, p0, padded_2.webm), doubled ones too."""
_SEVERITIES = list(Severity)
EXAMPLE_LETTERS = 160


@dataclass(frozen=True, slots=True)
class Group:
    """One kind of difference: counted once a recording, and in all; the first one shown."""

    step: str
    path: str
    kind: str
    severity: Severity
    recordings: int
    findings: int
    waived: int
    example: str
    example_recording: str


@dataclass(frozen=True, slots=True)
class Waived:
    """A waiver's own words, and what it covered tonight."""

    label: str
    hits: int
    recordings: int


def wildcarded(path: str) -> str:
    """The path with numbers and ids replaced, so that like differences meet."""
    return "/".join("*" if _VARYING.fullmatch(part) else part for part in path.split("/"))


def groups(comparisons: Iterable[Comparison]) -> tuple[Group, ...]:
    """The worst first: by severity, then by how many recordings; waived ones last."""
    found: dict[tuple[str, str, str], list[tuple[Finding, str]]] = {}
    for comparison in comparisons:
        for check in comparison.checks:
            if check.verdict is Verdict.MATCHED and not (check.measure and check.measure.findings):
                continue  # most checks of most nights
            for finding in _told(check):
                step = finding.step or (check.measure.step if check.measure else None) or ""
                key = (step, wildcarded(finding.path), finding.kind)
                found.setdefault(key, []).append((finding, comparison.recording))
    return tuple(sorted((_group(*entry) for entry in found.items()), key=_rank))


def _told(check: Check) -> Sequence[Finding]:
    """A check's findings; one without any that is against stands for itself."""
    measure = check.measure
    if measure is not None and (measure.findings or measure.kind == "informational"):
        return measure.findings
    if check.verdict in {Verdict.DIVERGED, Verdict.ERRORED}:
        kind = "errored" if check.verdict is Verdict.ERRORED else "changed"
        return (Finding(path=check.name, kind=kind, message=check.note),)
    return ()


def _group(key: tuple[str, str, str], members: list[tuple[Finding, str]]) -> Group:
    standing = [member for member in members if not member[0].waiver]
    shown, recording = (standing or members)[0]
    severities = [finding.severity for finding, _ in members]
    return Group(
        step=key[0],
        path=key[1],
        kind=key[2],
        severity=min(severities, key=_SEVERITIES.index),
        recordings=len({name for _, name in members}),
        findings=len(members),
        waived=len(members) - len(standing),
        example=example(shown),
        example_recording=recording,
    )


def example(finding: Finding) -> str:
    """`reference → hypothesis`, else what the finding says."""
    if finding.reference is None and finding.hypothesis is None:
        return clipped(finding.message, EXAMPLE_LETTERS)
    sides = (_shown(finding.reference), _shown(finding.hypothesis))
    return f"{sides[0]} → {sides[1]}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    return clipped(f"{value:g}" if isinstance(value, float) else str(value), EXAMPLE_LETTERS // 2)


def _rank(group: Group) -> tuple[bool, int, int, int, str]:
    step = STEP_NAMES.index(group.step) if group.step in STEP_NAMES else len(STEP_NAMES)
    is_waived = group.waived == group.findings
    severity = _SEVERITIES.index(group.severity)
    return (is_waived, severity, -group.recordings, step, f"{group.path} {group.kind}")


def waivers(comparisons: Iterable[Comparison]) -> tuple[Waived, ...]:
    """Every waiver that covered something tonight, with what it covered."""
    hits, recordings = Counter[str](), dict[str, set[str]]()
    for comparison in comparisons:
        for check in comparison.checks:
            for finding in check.measure.findings if check.measure else ():
                if finding.waiver:
                    hits[finding.waiver] += 1
                    recordings.setdefault(finding.waiver, set()).add(comparison.recording)
    return tuple(Waived(label, hits[label], len(recordings[label])) for label in sorted(hits))

"""What is different tonight: findings grouped by step, wildcarded path and kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from reflector_migrate.model import STEP_NAMES, Finding, Gist, Severity
from reflector_migrate.model.finding_groups import EXAMPLE_LETTERS, FindingGroup, groups_from_text
from reports.rows import keys
from reports.text import clipped, visible

Member: TypeAlias = tuple[FindingGroup, str, str]
"""Findings of one kind, the recording that has them, and its comparison's key."""

_SEVERITIES = list(Severity)


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
    example_key: str


@dataclass(frozen=True, slots=True)
class Waived:
    """A waiver's own words, and what it covered tonight."""

    label: str
    hits: int
    recordings: int


def members(gists: Sequence[Gist]) -> list[Member]:
    """Each comparison's findings by kind; most comparisons of most nights have none."""
    differing = [(gist, key) for gist, key in zip(gists, keys(gists), strict=True) if gist.told]
    found = zip(differing, groups_from_text(gist.told for gist, _ in differing), strict=True)
    return [(alike, gist.recording, key) for (gist, key), several in found for alike in several]


def groups(members: Iterable[Member]) -> tuple[Group, ...]:
    """The worst first: by severity, then by how many recordings; waived ones last."""
    found: dict[tuple[str, str, str], list[Member]] = {}
    for member in members:
        alike = member[0]
        found.setdefault((alike.step, alike.path, alike.kind), []).append(member)
    return tuple(sorted((_group(*entry) for entry in found.items()), key=_rank))


def _group(key: tuple[str, str, str], members: list[Member]) -> Group:
    standing = [member for member in members if not member[0].waiver]
    shown, recording, comparison = (standing or members)[0]
    times = sum(alike.times for alike, _, _ in members)
    return Group(
        step=key[0],
        path=key[1],
        kind=key[2],
        severity=min((Severity(alike.severity) for alike, _, _ in members), key=_SEVERITIES.index),
        recordings=len({name for _, name, _ in members}),
        findings=times,
        waived=times - sum(alike.times for alike, _, _ in standing),
        example=_example(shown),
        example_recording=recording,
        example_key=comparison,
    )


def _example(alike: FindingGroup) -> str:
    """As `example`, of texts that are cut already."""
    if alike.reference is None and alike.hypothesis is None:
        return visible(alike.message)
    return f"{visible(_worded(alike.reference))} → {visible(_worded(alike.hypothesis))}"


def example(finding: Finding) -> str:
    """`reference → hypothesis`, else what the finding says."""
    if finding.reference is None and finding.hypothesis is None:
        return clipped(finding.message, EXAMPLE_LETTERS)
    sides = (_worded(finding.reference), _worded(finding.hypothesis))
    return " → ".join(clipped(side, EXAMPLE_LETTERS // 2) for side in sides)


def _worded(value: object) -> str:
    if value is None:
        return "nothing"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rank(group: Group) -> tuple[bool, int, int, int, str]:
    step = STEP_NAMES.index(group.step) if group.step in STEP_NAMES else len(STEP_NAMES)
    is_waived = group.waived == group.findings
    severity = _SEVERITIES.index(group.severity)
    return (is_waived, severity, -group.recordings, step, f"{group.path} {group.kind}")


def waivers(members: Iterable[Member]) -> tuple[Waived, ...]:
    """Every waiver that covered something tonight, with what it covered."""
    hits, recordings = Counter[str](), dict[str, set[str]]()
    for alike, recording, _ in members:
        if alike.waiver:
            hits[alike.waiver] += alike.times
            recordings.setdefault(alike.waiver, set()).add(recording)
    return tuple(Waived(label, hits[label], len(recordings[label])) for label in sorted(hits))

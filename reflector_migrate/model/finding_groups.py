"""A gist's summary of a recording's findings: like ones counted, the first as the example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from reflector_migrate.model.comparison import Check
from reflector_migrate.model.measure import Finding
from reflector_migrate.model.vocabulary import Severity, Verdict

EXAMPLE_LETTERS = 160

_VARYING = re.compile(
    r"(?:\d+|[0-9a-f]{8,}|[0-9a-f-]{32,}|[a-z]{1,6}[ _-]?\d+(?:\.\w+)?)(?:#\d+)?", re.IGNORECASE
)
"""Numbers, ids, and names that end in a number (track 3, p0, padded_2.webm), doubled ones too."""
_SEVERITIES = list(Severity)
_AGAINST = {Verdict.DIVERGED, Verdict.ERRORED}

Key = tuple[str, str, str, str]


class FindingGroup(NamedTuple):
    """Findings of one recording that are alike; an example's texts are cut, its numbers are not."""

    step: str
    path: str
    kind: str
    waiver: str
    severity: str
    times: int
    reference: bool | int | float | str | None
    hypothesis: bool | int | float | str | None
    message: str
    public_path: str = ""


def group_findings(checks: Iterable[Check]) -> Iterable[FindingGroup]:
    """Like findings together, in the order in which they are first met."""
    found: dict[Key, FindingGroup] = {}
    for check in checks:
        for finding in _findings(check):
            step = finding.step or (check.measure.step if check.measure else None) or ""
            key = (step, wildcarded(finding.path), finding.kind, finding.waiver)
            group = found.get(key) or _first(key, finding)
            worst = min(Severity(group.severity), finding.severity, key=_SEVERITIES.index)
            found[key] = group._replace(times=group.times + 1, severity=worst.value)
    return found.values()


def groups_as_text(groups: Iterable[FindingGroup]) -> str:
    """As a gist keeps it; without groups it is empty."""
    found = list(groups)
    return json.dumps(found, separators=(",", ":")) if found else ""


def groups_from_text(kept: Iterable[str]) -> Iterator[tuple[FindingGroup, ...]]:
    """Each gist's summary of its findings, in the order given."""
    for text in kept:
        yield tuple(map(FindingGroup._make, json.loads(text))) if text else ()


def wildcarded(path: str) -> str:
    """The path with numbers and ids replaced, so that like differences meet."""
    return "/".join("*" if _VARYING.fullmatch(part) else part for part in path.split("/"))


def _findings(check: Check) -> Sequence[Finding]:
    """A check's findings; one without any that is against stands for itself."""
    measure = check.measure
    if measure is not None and (measure.findings or measure.kind == "informational"):
        return measure.findings
    if check.verdict in _AGAINST:
        kind = "errored" if check.verdict is Verdict.ERRORED else "changed"
        return (Finding(path=check.name, public_path=check.name, kind=kind, message=check.note),)
    return ()


def _first(key: Key, finding: Finding) -> FindingGroup:
    sides = (_shown(finding.reference), _shown(finding.hypothesis))
    message, shown = cut(finding.message, EXAMPLE_LETTERS), wildcarded(finding.public_path)
    return FindingGroup(*key, finding.severity.value, 0, *sides, message, shown)


def _shown(value: Any) -> bool | int | float | str | None:
    """A number as it is, anything else as text."""
    is_plain = value is None or isinstance(value, bool | int | float)
    return value if is_plain else cut(str(value), EXAMPLE_LETTERS // 2)


def cut(text: str, longest: int) -> str:
    """At most `longest` letters, and how many more there are."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… (+{len(text) - longest} letters)"

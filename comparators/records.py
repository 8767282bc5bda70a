"""Differences of two JSON values: numbers within tolerances, the rest by deepdiff.

Lists of records are matched by a key before they are compared, so that one lost
record is one difference. Equal values never reach deepdiff (slow to import).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_INDEX = re.compile(r"\[(\d+)\]")
_KEY = re.compile(r"\['([^']*)'\]|\[\"([^\"]*)\"\]")
MAX_DIFFERENCES = 200


class Difference(NamedTuple):
    """path as a/b/*, list positions wildcarded; kind: changed | missing | extra."""

    path: str
    kind: str
    reference: Any
    hypothesis: Any


def differences(
    reference: Any, hypothesis: Any, tolerances: Mapping[str, float] | None = None
) -> list[Difference]:
    """What differs, in order of path; a number within its field's tolerance does not."""
    if reference == hypothesis:
        return []
    from deepdiff import DeepDiff

    tree = DeepDiff(
        reference,
        hypothesis,
        view="tree",
        ignore_numeric_type_changes=True,
        threshold_to_diff_deeper=0,
    )
    found = [_difference(kind, level) for kind, levels in tree.items() for level in levels]
    kept = [d for d in found if not _tolerated(d, tolerances or {})]
    return sorted(kept, key=lambda d: (d.path, d.kind, str(d.reference)))


def _difference(kind: str, level: Any) -> Difference:
    """One level of deepdiff's tree as ours."""
    ours = (
        "extra" if kind.endswith("added") else "missing" if kind.endswith("removed") else "changed"
    )
    reference = None if ours == "extra" else level.t1
    hypothesis = None if ours == "missing" else level.t2
    return Difference(wildcarded(level.path()), ours, reference, hypothesis)


def wildcarded(path: str) -> str:
    """root['a'][3]['b'] as a/*/b."""
    keyed = _KEY.sub(lambda m: "/" + (m.group(1) or m.group(2) or ""), path.removeprefix("root"))
    return _INDEX.sub("/*", keyed).strip("/")


def _tolerated(difference: Difference, tolerances: Mapping[str, float]) -> bool:
    """Both values are numbers no further apart than the field allows."""
    limit = tolerances.get(difference.path.rsplit("/", 1)[-1])
    values = (difference.reference, difference.hypothesis)
    if limit is None or not all(isinstance(v, int | float) for v in values):
        return False
    return bool(abs(difference.reference - difference.hypothesis) <= limit)


def keyed(records: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    """Records by their key; a repeated key is kept as key#2, so that doubles show."""
    out: dict[str, Any] = {}
    for record in records:
        name, times = str(record.get(key)), 1
        while (name if times == 1 else f"{name}#{times}") in out:
            times += 1
        out[name if times == 1 else f"{name}#{times}"] = dict(record)
    return out

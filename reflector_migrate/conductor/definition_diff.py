"""Whether two definitions say the same, whatever a server added to one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SERVER_KEYS = frozenset(
    {
        "createTime",
        "updateTime",
        "createdBy",
        "updatedBy",
        "accessPolicy",
        "enforceSchema",
        "taskStatusListenerEnabled",
        "runtimeMetadata",
    }
)
"""What servers write or default by themselves; never ours."""

DEFAULTS: Mapping[str, Any] = {"backoffScaleFactor": 1, "rateLimitFrequencyInSeconds": 1}
VERBATIM = frozenset({"inputParameters", "outputParameters"})


def content(value: Any) -> Any:
    """The definition without server-added keys, defaults and empties."""
    if isinstance(value, Mapping):
        return {k: v for k, v in _entries(value) if v not in (None, "", 0, False, [], {})}
    if isinstance(value, list | tuple):
        return [content(item) for item in value]
    return value


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Paths at which two definitions differ, in order; empty when they say the same.

    deepdiff is imported only where something differs: it takes longer than to compare them all.
    """
    mine, others = content(ours), content(theirs)
    if mine == others:
        return []
    from deepdiff import DeepDiff

    found = DeepDiff(mine, others, view="tree", ignore_numeric_type_changes=True)
    return sorted({_path(level.path(output_format="list")) for kind in found.values()
                   for level in kind})  # fmt: skip


def _path(parts: list[str | int]) -> str:
    """`tasks[0].name` of ["tasks", 0, "name"]."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return path.lstrip(".") or "(whole)"


def _entries(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if key in SERVER_KEYS or DEFAULTS.get(key) == item:
            continue
        yield key, (item if key in VERBATIM else content(item))

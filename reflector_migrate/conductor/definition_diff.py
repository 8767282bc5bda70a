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
    """Paths at which two definitions differ, in order; empty when they say the same."""
    return list(_differing("", content(ours), content(theirs)))


def _entries(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if key in SERVER_KEYS or DEFAULTS.get(key) == item:
            continue
        yield key, (item if key in VERBATIM else content(item))


def _differing(path: str, ours: Any, theirs: Any) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from _differing(f"{path}.{key}".lstrip("."), ours.get(key), theirs.get(key))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differing(f"{path}[{index}]", mine, other)
    elif ours != theirs:
        yield path or "(whole)"

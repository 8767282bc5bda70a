"""Canonical JSON by RFC 8785: equal values give equal bytes.

The standard refuses some values that models and services do send. They have a digest too:
integers beyond 2^53 are written as the double they become in JavaScript, keys as text, and a
text with half a surrogate pair as it is.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import rfc8785

_EXACT = 2**53  # from it on a double does not hold every integer


def canonical_json(value: Any) -> str:
    """Sorted keys, no blanks, UTF-8; NaN and infinity are refused with ValueError.

    Numbers are doubles in their shortest form, so 2.0 and 2 agree as they do after
    a trip through JavaScript.
    """
    try:
        return rfc8785.dumps(value).decode()
    except ValueError:
        plain = _plain(value)
    try:
        return rfc8785.dumps(plain).decode()
    except ValueError:  # half a surrogate pair, or nothing that JSON has
        return json.dumps(
            plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )


def sha256_of(value: Any) -> str:
    """Hex SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    """Keys as text, large integers as doubles, and small integral doubles as integers."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) >= _EXACT:
            return float(value)
        return int(value) if value == value // 1 else value
    return value

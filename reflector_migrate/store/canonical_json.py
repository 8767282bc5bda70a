"""Canonical JSON by RFC 8785: equal values give equal bytes, whoever wrote them.

Python's own encoder writes the same bytes but for numbers that ECMAScript writes
otherwise and for keys beyond the basic plane; only those take the slow way.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any

_EXACT = 2**53  # beyond it a double does not hold every integer
_SMALL = 1e-4  # below it Python writes an exponent, ECMAScript only below 1e-6


def canonical_json(value: Any) -> str:
    """Sorted keys, no blanks, UTF-8; NaN and infinity are refused with ValueError.

    Numbers are doubles in their shortest form, so 2.0 and 2 agree as they do after
    a trip through JavaScript.
    """
    odd: list[Any] = []
    plain = _plain(value, odd)
    if odd:
        return "".join(_written(plain))
    return json.dumps(
        plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_of(value: Any) -> str:
    """Hex SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any, odd: list[Any]) -> Any:
    """JSON's own types, integral floats as integers; what needs the slow way goes to `odd`."""
    if isinstance(value, float):
        if value.is_integer():
            return _plain(int(value), odd)
        if abs(value) < _SMALL:
            odd.append(value)
    elif isinstance(value, dict):
        odd.extend(key for key in value if isinstance(key, str) and not key.isascii())
        return {str(key): _plain(item, odd) for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        return [_plain(item, odd) for item in value]
    elif isinstance(value, int) and abs(value) > _EXACT:
        odd.append(value)
    return value


def _written(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        yield "{"
        for place, key in enumerate(keys):
            yield f"{',' * bool(place)}{_text(key)}:"
            yield from _written(value[key])
        yield "}"
    elif isinstance(value, list):
        yield "["
        for place, item in enumerate(value):
            yield "," * bool(place)
            yield from _written(item)
        yield "]"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield _number(value)
    else:
        yield _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """As ECMAScript's Number.prototype.toString: an exponent from 1e21 on and below 1e-6."""
    double = float(value)
    if not math.isfinite(double):
        raise ValueError(f"{double} is not JSON compliant")
    if double == 0:
        return "0"
    mantissa, _, exponent = f"{double!r}e0".partition("e")
    sign, digits = "-" * mantissa.startswith("-"), mantissa.lstrip("-")
    whole, _, part = digits.partition(".")
    power = int(exponent.partition("e")[0]) + len(whole)
    significant = (whole + part).lstrip("0")
    power -= len(whole + part) - len((whole + part).lstrip("0"))
    significant = significant.rstrip("0")
    return sign + _placed(significant, power)


def _placed(digits: str, power: int) -> str:
    """0.digits x 10^power in ECMAScript's notation."""
    if len(digits) <= power <= 21:
        return digits + "0" * (power - len(digits))
    if 0 < power <= 21:
        return f"{digits[:power]}.{digits[power:]}"
    if -6 < power <= 0:
        return f"0.{'0' * -power}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{tail}e{'+' if power > 0 else '-'}{abs(power - 1)}"

"""Differences of two JSON values, numbers within tolerances, lists aligned before compared.

Lists of records are matched by a key, or aligned by equal items, so that one lost
record is one difference. Holds the same differences as deepdiff does on aligned
data (a test says so), without its import, which takes longer than a comparison.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


class Difference(NamedTuple):
    """path as a/b/*, list positions wildcarded; kind: changed | missing | extra."""

    path: str
    kind: str
    reference: Any
    hypothesis: Any


def differences(
    reference: Any, hypothesis: Any, tolerances: Mapping[str, float] | None = None
) -> list[Difference]:
    """What differs, in order of path; a number within its field's tolerance does not.

    A whole number equals the float of its value; true and false are not numbers.
    """
    found = _walk("", reference, hypothesis, tolerances or {})
    return sorted(found, key=lambda d: (d.path, d.kind, str(d.reference)))


def _walk(
    path: str, reference: Any, hypothesis: Any, tolerances: Mapping[str, float]
) -> Iterator[Difference]:
    """Differences of one place and everything below it."""
    if isinstance(reference, Mapping) and isinstance(hypothesis, Mapping):
        yield from _mappings(path, reference, hypothesis, tolerances)
    elif isinstance(reference, list | tuple) and isinstance(hypothesis, list | tuple):
        yield from _lists(path, reference, hypothesis, tolerances)
    elif not _equal(path, reference, hypothesis, tolerances):
        yield Difference(path, "changed", reference, hypothesis)


def _mappings(
    path: str,
    reference: Mapping[Any, Any],
    hypothesis: Mapping[Any, Any],
    tolerances: Mapping[str, float],
) -> Iterator[Difference]:
    for key in {**reference, **hypothesis}:
        below = _join(path, str(key))
        if key not in hypothesis:
            yield Difference(below, "missing", reference[key], None)
        elif key not in reference:
            yield Difference(below, "extra", None, hypothesis[key])
        else:
            yield from _walk(below, reference[key], hypothesis[key], tolerances)


def _lists(
    path: str, reference: Sequence[Any], hypothesis: Sequence[Any], tolerances: Mapping[str, float]
) -> Iterator[Difference]:
    """Equal items are aligned; between them items are compared in order, the rest is one-sided."""
    from comparators.alignment.distance import blocks, encode

    below = _join(path, "*")
    codes = encode([_text(item) for item in reference], [_text(item) for item in hypothesis])
    for block in blocks(*codes):
        if block.tag == "equal":
            continue
        left = reference[block.ref_start : block.ref_end]
        right = hypothesis[block.hyp_start : block.hyp_end]
        for first, second in zip(left, right, strict=False):
            yield from _walk(below, first, second, tolerances)
        for item in left[len(right) :]:
            yield Difference(below, "missing", item, None)
        for item in right[len(left) :]:
            yield Difference(below, "extra", None, item)


def _text(item: Any) -> str:
    return json.dumps(item, sort_keys=True, default=str)


def _equal(path: str, reference: Any, hypothesis: Any, tolerances: Mapping[str, float]) -> bool:
    """Equal values of equal kind, or numbers no further apart than the field allows."""
    if _is_number(reference) and _is_number(hypothesis):
        return is_within(reference, hypothesis, tolerances.get(path.rsplit("/", 1)[-1], 0))
    return type(reference) is type(hypothesis) and bool(reference == hypothesis)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def keyed(records: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    """Records by their key; a repeated key is kept as key#2, so that doubles show."""
    out: dict[str, Any] = {}
    seen = Counter[str]()
    for record in records:
        name = str(record.get(key))
        seen[name] += 1
        while (named := name if seen[name] == 1 else f"{name}#{seen[name]}") in out:
            seen[name] += 1
        out[named] = dict(record)
    return out


def is_within(first: float, second: float, distance: float) -> bool:
    """No further apart than `distance`; what is beyond a double's range is exact.

    Two infinities of a sign are the same, and so are two NaNs: neither lies nearer to another.
    """
    if first == second or (first != first and second != second):  # noqa: PLR0124 - NaN is not itself
        return True
    try:
        return abs(first - second) <= distance
    except OverflowError:  # an integer that no float can hold, beside a float
        return False

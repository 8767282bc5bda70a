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

    A whole number equals the float of its value; true and false are no numbers.
    """
    found = _walk("", reference, hypothesis, tolerances or {})
    return sorted(found, key=lambda d: (d.path, d.kind, str(d.reference)))


def _walk(
    path: str, mine: Any, theirs: Any, tolerances: Mapping[str, float]
) -> Iterator[Difference]:
    """Differences of one place and everything below it."""
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        yield from _mappings(path, mine, theirs, tolerances)
    elif isinstance(mine, list | tuple) and isinstance(theirs, list | tuple):
        yield from _lists(path, mine, theirs, tolerances)
    elif not _equal(path, mine, theirs, tolerances):
        yield Difference(path, "changed", mine, theirs)


def _mappings(
    path: str, mine: Mapping[Any, Any], theirs: Mapping[Any, Any], tolerances: Mapping[str, float]
) -> Iterator[Difference]:
    for key in {**mine, **theirs}:
        below = _join(path, str(key))
        if key not in theirs:
            yield Difference(below, "missing", mine[key], None)
        elif key not in mine:
            yield Difference(below, "extra", None, theirs[key])
        else:
            yield from _walk(below, mine[key], theirs[key], tolerances)


def _lists(
    path: str, mine: Sequence[Any], theirs: Sequence[Any], tolerances: Mapping[str, float]
) -> Iterator[Difference]:
    """Equal items are aligned; between them items are compared in order, the rest is one-sided."""
    from comparators.alignment.distance import blocks, encode

    below = _join(path, "*")
    codes = encode([_text(item) for item in mine], [_text(item) for item in theirs])
    for block in blocks(*codes):
        if block.tag == "equal":
            continue
        left = mine[block.ref_start : block.ref_end]
        right = theirs[block.hyp_start : block.hyp_end]
        for first, second in zip(left, right, strict=False):
            yield from _walk(below, first, second, tolerances)
        for item in left[len(right) :]:
            yield Difference(below, "missing", item, None)
        for item in right[len(left) :]:
            yield Difference(below, "extra", None, item)


def _text(item: Any) -> str:
    return json.dumps(item, sort_keys=True, default=str)


def _equal(path: str, mine: Any, theirs: Any, tolerances: Mapping[str, float]) -> bool:
    """Equal values of equal kind, or numbers no further apart than the field allows."""
    if _is_number(mine) and _is_number(theirs):
        return is_within(mine, theirs, tolerances.get(path.rsplit("/", 1)[-1], 0))
    return type(mine) is type(theirs) and bool(mine == theirs)


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

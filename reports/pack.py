"""Rows as packed columns: small in the page, quick to write here and to read there."""

from __future__ import annotations

import base64
import json
import sys
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from reports.rows import OUTCOMES, Row

NONE, MOST = -(2**31), 2**31 - 1
LEVEL = 2
"""Of compression: a third larger than the best, in a quarter of its time."""

Numbers: TypeAlias = "array[int]"

_PAIRS = tuple(f"{mine}/{theirs}" for mine in OUTCOMES for theirs in OUTCOMES)
_DIGITS = "0123456789"
_FIRST = ord("0")


def columns(found: Sequence[Row], names: Sequence[str]) -> tuple[dict[str, Any], list[Numbers]]:
    """The rows as texts and as numbers, column by column.

    What has few values is one text with a character a row; rates are in
    hundred-thousandths, durations in tenths of a second, money in micro-dollars.
    The second part is named, in its order, by "numbers" of the first.
    """
    by_field = tuple(zip(*found, strict=True)) or ((),) * len(Row._fields)
    columns = dict(zip(Row._fields, by_field, strict=True))
    steps, tags = sorted(set(columns["step"])), sorted(set(columns["tags"]))
    numbers = {
        "words": _rates(columns["words"]),
        "speakers": _rates(columns["speakers"]),
        "length": _tenths(columns["duration_s"]),
        "primary": _tenths(columns["primary_s"]),
        "candidate": _tenths(columns["candidate_s"]),
        "primary_cost": _whole(columns["primary_cost"]),
        "candidate_cost": _whole(columns["candidate_cost"]),
        "tracks": _whole(columns["tracks"]),
        "tags": _places(columns["tags"], tags),
    }
    texts = {
        "checks": list(names),
        "steps": steps,
        "tag_sets": tags,
        "key": columns["key"],
        "recording": columns["recording"],
        "title": columns["title"] if any(columns["title"]) else [],
        "verdict": "".join(columns["sign"]),
        "step": _signs(columns["step"], _alphabet(steps)),
        "outcome": _signs(columns["outcome"], _alphabet(_PAIRS)),
        "critical": _signs(columns["critical"], _digits(columns["critical"])),
        "letters": "".join(columns["checks"]),
        "numbers": list(numbers),
    }
    return texts, list(numbers.values())


def _alphabet(values: Sequence[str]) -> dict[str, str]:
    """A printable character for each value, in order from `0`."""
    return {value: chr(_FIRST + place) for place, value in enumerate(values)}


def _digits(values: Iterable[int]) -> dict[int, str]:
    """Each number's digit, of what is above nine the last one."""
    return {number: _DIGITS[min(9, number)] for number in set(values)}


def _signs(values: Iterable[Any], sign_of: Mapping[Any, str]) -> str:
    return "".join([sign_of[value] for value in values])


def _places(values: Iterable[str], listed: Sequence[str]) -> Numbers:
    place_of = {value: place for place, value in enumerate(listed)}
    return array("i", [place_of[value] for value in values])


def _rates(values: Iterable[float | None]) -> Numbers:
    """In hundred-thousandths; what is above 0 never becomes 0."""
    shown = [(round(v * 100_000) or 1) if v else NONE if v is None else 0 for v in values]
    return array("i", shown)


def _tenths(values: Iterable[float | None]) -> Numbers:
    return array("i", [NONE if v is None else round(v * 10) for v in values])


def _whole(values: Sequence[int | None]) -> Numbers:
    """As they are; what 32 bits cannot hold is held at their end."""
    known = [NONE if v is None else v for v in values]
    try:
        return array("i", known)
    except OverflowError:
        return array("i", [min(v, MOST) for v in known])


def packed(value: Any, numbers: Iterable[Numbers] = ()) -> str:
    """JSON and 32-bit columns behind it, gzip, base64; the same values give the same text.

    Unpacked: the length of the JSON in 8 digits, the JSON in UTF-8 padded with
    spaces to a multiple of 4, then each column's little-endian integers.
    """
    raw = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    text = raw.encode("utf-8", "backslashreplace")
    text += b" " * (-len(text) % 4)
    press = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)  # 31: a gzip header, without clock or name
    body = press.compress(b"%08d" % len(text) + text)
    for column in numbers:
        body += press.compress(_little(column).tobytes())
    return base64.b64encode(body + press.flush()).decode("ascii")


def _little(column: Numbers) -> Numbers:
    if sys.byteorder == "little":
        return column
    turned = array("i", column)
    turned.byteswap()
    return turned

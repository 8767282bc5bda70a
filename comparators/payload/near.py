"""Whether two numbers are the same, or near enough, whatever numbers they are."""

from __future__ import annotations


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

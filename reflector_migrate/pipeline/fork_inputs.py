"""What an engine brings together from the branches of a fork: all of it, or nothing is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reflector_migrate.errors import TerminalStepError, TransientStepError


class OfTrack(Protocol):
    """A branch's output."""

    @property
    def track_index(self) -> int:
        """Which track's it is."""


def require_all(branches: Sequence[OfTrack], expected: Sequence[int]) -> None:
    """Raise TransientStepError unless every expected track has a branch.

    A JOIN leaves a branch whose output is empty out of its own. Without this an
    ended meeting would have fewer speakers, or no words, without a warning.
    A recording without tracks is hopeless: legacy fails at its mixdown. TerminalStepError.
    """
    found = {branch.track_index for branch in branches}
    missing = sorted(set(expected) - found)
    if missing:
        lost = ", ".join(map(str, missing))
        raise TransientStepError(f"no fork output for track {lost}")
    if not found:
        raise TerminalStepError("the recording has no tracks")

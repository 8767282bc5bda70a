"""What an engine brings together from the branches of a fork: all of it, or nothing is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reflector_migrate.errors import TransientStepError


class OfTrack(Protocol):
    """A branch's output."""

    @property
    def track_index(self) -> int:
        """Which track's it is."""


def require_all(branches: Sequence[OfTrack], expected: Sequence[int]) -> None:
    """Raise TransientStepError unless every expected track has a branch, and any at all.

    A JOIN leaves a branch whose output is empty out of its own. Without this an
    ended meeting would have fewer speakers, or no words, and nobody would be told.
    """
    found = {branch.track_index for branch in branches}
    missing = sorted(set(expected) - found)
    if missing or not found:
        lost = f"of track {', '.join(map(str, missing))}" if missing else "of any track"
        raise TransientStepError(f"the fork brought nothing {lost}")

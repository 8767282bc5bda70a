"""Whether a recording is shadowed: a pure decision from settings and what is in flight."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from reflector_migrate.settings import ShadowSettings


@dataclass(frozen=True, slots=True)
class Decision:
    """go: start now; wait: later, for want of a place; skip: never, for the reason given."""

    outcome: str
    reason: str = ""


def decide(
    shadow: ShadowSettings, recording_id: str, room: str, *, in_flight: int, is_killed: bool
) -> Decision:
    """The kill switch first, then the flag, rooms, sample and the in-flight limit."""
    if is_killed:
        return Decision("skip", "kill switch")
    if not shadow.enabled:
        return Decision("skip", "shadow is off")
    if shadow.rooms and room not in shadow.rooms:
        return Decision("skip", "room not in shadow.rooms")
    if sample_point(recording_id) >= shadow.rate:
        return Decision("skip", "not sampled")
    if in_flight >= shadow.max_in_flight:
        return Decision("wait", "in-flight limit")
    return Decision("go")


def sample_point(recording_id: str) -> float:
    """A recording's stable place in [0, 1): the same on every machine and every day."""
    digest = hashlib.sha256(recording_id.encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64

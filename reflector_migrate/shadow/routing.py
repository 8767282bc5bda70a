"""Whether a recording is shadowed: a pure decision from settings."""

from __future__ import annotations

import hashlib

from reflector_migrate.settings import ShadowSettings


def why_skipped(
    shadow: ShadowSettings, recording_id: str, room: str, *, is_killed: bool
) -> str | None:
    """Why a recording is not shadowed, or None: the kill switch first, then flag, rooms, sample."""
    if is_killed:
        return "kill switch"
    if not shadow.enabled:
        return "shadow is off"
    if shadow.rooms and room not in shadow.rooms:
        return "room not in shadow.rooms"
    return None if sample_point(recording_id) < shadow.rate else "not sampled"


def has_secondary(shadow: ShadowSettings, recording_id: str) -> bool:
    """Whether a recording is of the share for which legacy runs twice: always the same ones."""
    return sample_point(f"secondary:{recording_id}") < shadow.secondary_rate


def sample_point(recording_id: str) -> float:
    """A recording's stable place in [0, 1): the same on every machine and every day."""
    digest = hashlib.sha256(recording_id.encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64

"""Which steps share a process: waiting steps together, audio steps on their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reflector_migrate.model import STEP_NAMES
from reflector_migrate.settings import WorkerSettings

AUDIO = ("pad_track", "mixdown_tracks", "generate_waveform")
TRANSCRIBE = ("transcribe_track",)
LIGHT = tuple(name for name in STEP_NAMES if name not in (*AUDIO, *TRANSCRIBE))

GROUPS: Mapping[str, tuple[str, ...]] = {"light": LIGHT, "transcribe": TRANSCRIBE, "audio": AUDIO}


class Member(NamedTuple):
    """One worker process: its group, and how many tasks it runs at once."""

    group: str
    slots: int

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps it polls for."""
        return GROUPS[self.group]


def members(group: str, settings: WorkerSettings) -> tuple[Member, ...]:
    """The processes of a group, or of all of them.

    Audio is work for a processor: each such process runs one task at a time, so
    that tracks are padded in parallel whatever Python's lock says, and the
    memory of a long mix goes back with the process.
    """
    every = (
        Member("light", settings.light),
        Member("transcribe", settings.transcribe),
        *(Member("audio", 1) for _ in range(settings.audio)),
    )
    return tuple(m for m in every if group in ("all", m.group))

"""Which steps share a process: waiting steps together, audio steps on their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reflector_migrate.model import STEP_SPECS
from reflector_migrate.settings import WorkerSettings

GROUPS: Mapping[str, tuple[str, ...]] = {
    group: tuple(spec.name for spec in STEP_SPECS if spec.group == group)
    for group in ("light", "transcribe", "audio")
}


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

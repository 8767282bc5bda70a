"""What one process of the shadow works with: made once, and passed on from then on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Dispatches, RunRecord, Runs

Send = Callable[[RunRecord, float], None]
"""Has a worker take a run up, that many seconds from now."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """Settings, stores, the way to other workers, and the clock."""

    settings: Settings
    runs: Runs
    dispatches: Dispatches
    evidence: Evidence
    send: Send
    now: Callable[[], datetime]

    @classmethod
    def made(cls, settings: Settings, send: Send, clock: Callable[[], datetime] = now) -> Self:
        """Over the store of these settings; opens nothing yet."""
        made = Harness.of(settings, clock)
        return cls(settings, made.runs, made.dispatches, made.evidence, send, clock)

"""What one process of the shadow works with: made once, and passed on from then on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Dispatches, RunRecord, Runs

Send = Callable[[RunRecord, float], None]
"""Has a worker take a run up, that many seconds from now."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """The harness, and the way to other workers."""

    harness: Harness
    send: Send

    @property
    def settings(self) -> Settings:
        """Those of the harness, as the next ones are its own."""
        return self.harness.settings

    @property
    def runs(self) -> Runs:
        """The claimed runs."""
        return self.harness.runs

    @property
    def dispatches(self) -> Dispatches:
        """What came of each announcement."""
        return self.harness.dispatches

    @property
    def evidence(self) -> Evidence:
        """Observations and comparisons."""
        return self.harness.evidence

    def now(self) -> datetime:
        """By the clock of the harness."""
        return self.harness.now()

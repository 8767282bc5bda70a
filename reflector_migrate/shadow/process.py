"""What one process of the shadow works with: made once, and passed on from then on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from reflector_migrate.errors import ConfigurationError
from reflector_migrate.settings import Settings, load_settings, settings_stamp
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Dispatches, RunRecord, Runs

log = logging.getLogger(__name__)

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
        url = settings.store_url
        return cls(settings, Runs(url, clock), Dispatches(url), Evidence(url), send, clock)


class LiveSettings:
    """The settings of this process, read again when a file of theirs has changed.

    A file that is being written, or is wrong, changes nothing: the last good settings stay.
    """

    def __init__(self) -> None:
        """Read nothing yet."""
        self._good: Settings | None = None
        self._stamp: object = None

    def current(self) -> Settings:
        """The last good settings. Raises ConfigurationError while there were never any."""
        stamp = settings_stamp()
        if self._good is None:
            self._good = load_settings()
        elif stamp != self._stamp:
            try:
                self._good = load_settings()
            except ConfigurationError as error:
                log.error("settings not read again, the last ones stay: %s", error.message)
        self._stamp = stamp
        return self._good

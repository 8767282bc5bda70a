"""The composition root: only this module makes stores.

A process loads its settings once (`entrance.py`): a command of the CLI, a worker, a Celery app.
They are passed on from there. A harness is what they name: every store over one database. It
keeps a URL and opens nothing. Connections are those of the process that opened them: a fork
shares none (see `store/base.py` and `clients/connections.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from reflector_migrate.entrance import loaded_settings
from reflector_migrate.errors import ConfigurationError
from reflector_migrate.settings import Settings, settings_stamp
from reflector_migrate.store.aa_pairs import LegacyPairs, Secondaries
from reflector_migrate.store.artifacts import Artifacts
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.cache import TaskCache
from reflector_migrate.store.clock import now
from reflector_migrate.store.effects import EffectLog
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.evidence import Evidence, Spans
from reflector_migrate.store.gate_lines import GateLines
from reflector_migrate.store.heartbeats import Heartbeats
from reflector_migrate.store.nights import Nights
from reflector_migrate.store.runs import Dispatches, Runs
from reflector_migrate.store.steps import StepLog

if TYPE_CHECKING:
    from celery import Celery
    from redis import Redis

    from reflector_migrate.clients.conductor import ConductorClient
    from reflector_migrate.clients.connections import Connections

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Harness:
    """Settings, and every store over the database that they name."""

    settings: Settings
    now: Callable[[], datetime]
    runs: Runs
    dispatches: Dispatches
    evidence: Evidence
    nights: Nights
    gate_lines: GateLines
    audit: Audit
    spans: Spans
    events: EventLog
    effects: EffectLog
    steps: StepLog
    artifacts: Artifacts
    cache: TaskCache
    heartbeats: Heartbeats
    secondaries: Secondaries
    legacy_pairs: LegacyPairs

    @property
    def connections(self) -> Connections:
        """This process's HTTP pool and S3 client."""
        from reflector_migrate.clients.connections import connections

        return connections(self.settings)

    def redis(self, url: str, timeout_s: float = 2.0) -> Redis:
        """This process's client of one of the servers that the settings name."""
        from reflector_migrate.clients.connections import redis_at

        return redis_at(url, timeout_s)

    def conductor(self) -> AbstractContextManager[ConductorClient]:
        """The Conductor server's client; its connections are closed at the end of the block."""
        from reflector_migrate.clients.conductor import connected

        return connected(self.settings)

    def broker(self, url: str | None = None, **config: Any) -> Celery:
        """An app over the primary's broker, or another one, to send messages or ask workers."""
        from reflector_migrate.clients.broker import broker_app

        return broker_app(url or self.settings.reflector.broker_url, config)

    def under(self, settings: Settings) -> Self:
        """This process under other settings: the secondary's, or those of a scratch namespace."""
        return self.of(settings, self.now)

    @classmethod
    def of(cls, settings: Settings, clock: Callable[[], datetime] = now) -> Self:
        """Over the store of these settings; opens nothing."""
        url, bounds = settings.store_url, settings.cache
        return cls(
            settings=settings,
            now=clock,
            runs=Runs(url, clock),
            dispatches=Dispatches(url),
            evidence=Evidence(url),
            nights=Nights(url),
            gate_lines=GateLines(url),
            audit=Audit(url),
            spans=Spans(url),
            events=EventLog(url),
            effects=EffectLog(url),
            steps=StepLog(url),
            artifacts=Artifacts(url),
            cache=TaskCache(url, bounds.ttl_s, bounds.max_entries),
            heartbeats=Heartbeats(url),
            secondaries=Secondaries(url),
            legacy_pairs=LegacyPairs(url),
        )


class LiveHarness:
    """The harness of a process that serves for weeks, made again when a file of settings changed.

    A file that is being written, or is wrong, changes nothing: the last good settings stay.
    """

    def __init__(self) -> None:
        """Read nothing yet."""
        self._good: Harness | None = None
        self._stamp: object = None

    def current(self) -> Harness:
        """That of the last good settings. Raises ConfigurationError while there were never any."""
        stamp = settings_stamp()
        if self._good is None:
            self._good = Harness.of(loaded_settings())
        elif stamp != self._stamp:
            try:
                self._good = Harness.of(loaded_settings())
            except ConfigurationError as error:
                log.error("settings not read again, the last ones stay: %s", error.in_full)
        self._stamp = stamp
        return self._good

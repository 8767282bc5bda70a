"""Tells waiting workers that a step may be ready, so that they look before their poll does.

The server answers a waiting poll by looking every tenth of a second. A worker that hands
in a result knows what comes next and rings; a worker of that step then looks at once.
Best effort over the candidate's bus: without it the poll finds the task a little later.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from reflector_migrate.conductor.task_domain import task_domain
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.services.events import Bus

logger = logging.getLogger(__name__)

LISTEN_S = 1.0
TROUBLE_WAITS_S = (1.0, 2.0, 5.0, 10.0, 30.0)


class WakeupChannel:
    """The wake-up channel of one task domain."""

    def __init__(self, harness: Harness, domain: str | None = None) -> None:
        """Open nothing yet; the domain is by default this build's own."""
        self._client: Any = harness.redis(harness.settings.candidate.bus_url)
        self._channel = f"migrate:ready:{domain or task_domain(harness.settings)}"

    def ring(self, steps: Iterable[str]) -> None:
        """Say that tasks of these steps may be there; never raises."""
        if names := [*steps]:
            Bus(self._client).publish(self._channel, {"steps": names})

    def listen(self, stop: threading.Event, answer: Callable[[frozenset[str]], None]) -> None:
        """Call `answer` with the steps of each ring, until `stop`; waits out an unreachable bus."""
        import redis

        troubles = 0
        while not stop.is_set():
            try:
                with closing(self._client.pubsub()) as ear:
                    ear.subscribe(self._channel)
                    while not stop.is_set():
                        message = ear.get_message(ignore_subscribe_messages=True, timeout=LISTEN_S)
                        troubles = 0
                        if message is not None:
                            answer(_steps_of(message))
            except redis.RedisError as error:
                said = "wake-up channel %s unavailable, tried again in a while: %s"
                logger.warning(said, self._channel, type(error).__name__)
                stop.wait(TROUBLE_WAITS_S[min(troubles, len(TROUBLE_WAITS_S) - 1)])
                troubles += 1


def _steps_of(message: dict[str, Any]) -> frozenset[str]:
    """What a ring names; nothing if another program sent it."""
    try:
        steps = json.loads(message["data"])["steps"]
        return frozenset(step for step in steps if isinstance(step, str))
    except (ValueError, TypeError, KeyError):
        return frozenset()

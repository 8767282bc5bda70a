"""The WebSocket bus: Redis channels that Reflector's servers relay to browsers."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import redis

from reflector_migrate.model import USER_EVENTS

log = logging.getLogger(__name__)

LEFT_ALONE_S = 10.0
"""How long a bus that did not answer is not tried again."""

_mute_until: WeakKeyDictionary[redis.Redis, float] = WeakKeyDictionary()


class Bus:
    """Publishes best effort: a missed event is still in the row."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def publish(self, channel: str, message: Mapping[str, Any]) -> bool:
        """True if Redis took it; a bus that is down or mute is logged and harms nothing."""
        if time.monotonic() < _mute_until.get(self._client, 0):
            return False
        try:
            self._client.publish(channel, json.dumps(message))
        except redis.RedisError as error:
            if isinstance(error, redis.TimeoutError):
                _mute_until[self._client] = time.monotonic() + LEFT_ALONE_S
            log.warning("a message on %s was not published: %s", channel, type(error).__name__)
            return False
        return True


def messages(
    transcript_id: str, user_id: str | None, event: str, data: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """Channel and message for everyone who hears of an event."""
    told: list[tuple[str, dict[str, Any]]] = [
        (f"ts:{transcript_id}", {"event": event, "data": dict(data)})
    ]
    if user_id and event in USER_EVENTS:
        body = {"id": transcript_id, **data}
        told.append((f"user:{user_id}", {"event": f"TRANSCRIPT_{event}", "data": body}))
    return told

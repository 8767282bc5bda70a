"""Answers of recogniser and language model by the hash of all that they depend on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, func, select

from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.canonical_json import canonical_json
from reflector_migrate.store.tables import task_cache
from reflector_migrate.store.upsert import replace


class TaskCache:
    """Bounded in age and size; an entry past its time is never served.

    Its time is the shorter of what its writer and its reader allow.
    """

    def __init__(
        self, url: str, ttl_s: float, max_entries: int, clock: Callable[[], float] = time.time
    ) -> None:
        """Entries live `ttl_s`; beyond `max_entries` the oldest go."""
        self._url, self._ttl_s, self._max_entries = url, ttl_s, max_entries
        self._clock = clock

    def get(self, key: str) -> Any | None:
        """The stored JSON value, or None."""
        present = self._clock()
        query = select(task_cache.c.value).where(
            task_cache.c.key == key,
            task_cache.c.expires_s > present,
            task_cache.c.created_s > present - self._ttl_s,
        )
        with reading(self._url) as connection:
            found = connection.scalar(query)
        return None if found is None else json.loads(found)

    def clear(self) -> None:
        """Forget everything."""
        with writing(self._url) as connection:
            connection.execute(delete(task_cache))

    def set(self, key: str, value: Any) -> None:
        """Store a JSON value and drop what is too old or too many."""
        present = self._clock()
        with writing(self._url) as connection:
            replace(
                connection,
                task_cache,
                key=key,
                value=canonical_json(value),
                created_s=present,
                expires_s=present + self._ttl_s,
            )
            connection.execute(delete(task_cache).where(task_cache.c.expires_s <= present))
            count = connection.scalar(select(func.count()).select_from(task_cache)) or 0
            if count > self._max_entries:
                oldest = (
                    select(task_cache.c.key)
                    .order_by(task_cache.c.created_s)
                    .limit(count - self._max_entries)
                )
                connection.execute(delete(task_cache).where(task_cache.c.key.in_(oldest)))

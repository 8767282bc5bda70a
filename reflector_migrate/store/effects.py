"""What a shadowed step would have done to the world, each exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from reflector_migrate.model import Effect
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import in_utc, now
from reflector_migrate.store.tables import effects
from reflector_migrate.store.upsert import insert_once


class EffectLog:
    """Recorded effects by run, kind and key."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def record(
        self,
        run_id: str,
        kind: str,
        key: str,
        payload: Mapping[str, Any] | None = None,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
    ) -> bool:
        """True if it was new; False if a retry recorded it before."""
        row = {"run_id": run_id, "kind": kind, "key": key, "payload": dict(payload or {})}
        with writing(self._url) as connection:
            return insert_once(
                connection, effects, **row, sha256=sha256, size_bytes=size_bytes, at=now()
            )

    def of(self, run_id: str) -> tuple[Effect, ...]:
        """All effects of a run in the order of their recording."""
        query = select(effects).where(effects.c.run_id == run_id).order_by(effects.c.id)
        with reading(self._url) as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            Effect(
                kind=row["kind"],
                key=row["key"],
                suppressed=True,
                payload=row["payload"],
                sha256=row["sha256"],
                size_bytes=row["size_bytes"],
                at=in_utc(row["at"]),
            )
            for row in rows
        )

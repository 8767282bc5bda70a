"""Large values of a run (word and topic lists), kept once and passed by reference."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from sqlalchemy import delete, select

from reflector_migrate.errors import TerminalStepError
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.canonical_json import canonical_json, sha256_of
from reflector_migrate.store.clock import now
from reflector_migrate.store.tables import artifacts
from reflector_migrate.store.upsert import replace

CACHED = "cached"
"""The step under which a run keeps the keys of the answers in the cache that are of its words."""


class StoredRef(NamedTuple):
    """Where a value is, what it hashes to, how many items it has."""

    ref: str
    sha256: str
    count: int  # type: ignore[assignment] # the contracts call it so; tuple.count is not used


class Artifacts:
    """Values by run, step and key; writing the same again changes nothing."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def put(self, run_id: str, step: str, key: str, value: list[Any] | dict[str, Any]) -> StoredRef:
        """Store a JSON value under a deterministic reference and return that."""
        stored = StoredRef(f"artifact:{run_id}/{step}/{key}", sha256_of(value), len(value))
        row = {"ref": stored.ref, "run_id": run_id, "sha256": stored.sha256, "count": stored.count}
        with writing(self._url) as connection:
            replace(
                connection,
                artifacts,
                **row,
                value=canonical_json(value),
                created_at=now(),
            )
        return stored

    def get(self, ref: str) -> Any:
        """The JSON value; TerminalStepError if nothing is stored there."""
        with reading(self._url) as connection:
            found = connection.scalar(select(artifacts.c.value).where(artifacts.c.ref == ref))
        if found is None:
            raise TerminalStepError(f"nothing is stored at {ref}")
        return json.loads(found)

    def find(self, run_id: str, step: str, key: str) -> StoredRef | None:
        """The reference of a value stored earlier by this run, if any."""
        ref = f"artifact:{run_id}/{step}/{key}"
        query = select(artifacts.c.ref, artifacts.c.sha256, artifacts.c.count)
        with reading(self._url) as connection:
            row = connection.execute(query.where(artifacts.c.ref == ref)).first()
        return StoredRef(*row) if row else None

    def erase(self, run_id: str) -> int:
        """Delete every value of a run; returns how many."""
        with writing(self._url) as connection:
            done = connection.execute(delete(artifacts).where(artifacts.c.run_id == run_id))
            return int(done.rowcount)

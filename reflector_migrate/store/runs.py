"""Candidate runs: claimed once per recording and build, followed to their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import in_utc, now
from reflector_migrate.store.tables import dispatches, runs
from reflector_migrate.store.upsert import insert_once

OPEN_STATES = ("claimed", "snapshotted", "started")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One candidate run. state: claimed, snapshotted, started, compared, skipped or failed."""

    run_id: str
    claim: str
    recording_id: str
    transcript_id: str
    namespace: str
    build: str
    state: str = "claimed"
    reason: str | None = None
    workflow_id: str | None = None
    primary_task_id: str | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)


class Runs:
    """The register of candidate runs."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def claim(self, run: RunRecord) -> bool:
        """True if this caller is the first to claim it; exactly one ever is."""
        values = {name: getattr(run, name) for name in RunRecord.__slots__}
        values["request"] = dict(run.request)
        with writing(self._url) as connection:
            return insert_once(connection, runs, **values)

    def update(
        self,
        run_id: str,
        state: str,
        *,
        reason: str | None = None,
        workflow_id: str | None = None,
    ) -> None:
        """Move a run on; a workflow id once known stays."""
        values: dict[str, Any] = {"state": state, "reason": reason, "updated_at": now()}
        if workflow_id is not None:
            values["workflow_id"] = workflow_id
        with writing(self._url) as connection:
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(**values))

    def move_on(self, run: RunRecord, state: str, *, reason: str | None = None) -> bool:
        """Move a run on unless somebody has since it was read as `run`; True if it was moved."""
        with writing(self._url) as connection:
            return moved_on(connection, run, state, reason)

    def by_id(self, run_id: str) -> RunRecord | None:
        """The run, or None."""
        return self._one(runs.c.run_id == run_id)

    def latest(self, recording_id: str) -> RunRecord | None:
        """The youngest run of a recording, or None."""
        return self._one(runs.c.recording_id == recording_id)

    def of_primary_task(self, task_id: str) -> RunRecord | None:
        """The run that shadows one execution of the primary's task, or None."""
        return self._one(runs.c.primary_task_id == task_id)

    def open(self) -> tuple[RunRecord, ...]:
        """Runs that have not ended, oldest first."""
        query = select(runs).where(runs.c.state.in_(OPEN_STATES)).order_by(runs.c.created_at)
        with reading(self._url) as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def count_started(self) -> int:
        """How many workflows are in flight."""
        query = select(func.count()).select_from(runs).where(runs.c.state == "started")
        with reading(self._url) as connection:
            return int(connection.scalar(query) or 0)

    def recordings(self) -> frozenset[str]:
        """Every recording that was ever claimed."""
        with reading(self._url) as connection:
            return frozenset(connection.scalars(select(runs.c.recording_id).distinct()))

    def claimed_between(self, since: datetime, until: datetime) -> tuple[RunRecord, ...]:
        """Runs claimed in [since, until), oldest first."""
        query = select(runs).where(runs.c.created_at >= since, runs.c.created_at < until)
        with reading(self._url) as connection:
            rows = connection.execute(query.order_by(runs.c.created_at))
            return tuple(_record(row) for row in rows)

    def _one(self, condition: Any) -> RunRecord | None:
        query = select(runs).where(condition).order_by(runs.c.created_at.desc()).limit(1)
        with reading(self._url) as connection:
            row = connection.execute(query).first()
        return None if row is None else _record(row)


class Dispatches:
    """What became of every message the primary sent: the coverage's denominator."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def add(
        self, recording_id: str, outcome: str, *, run_id: str | None = None, reason: str = ""
    ) -> None:
        """Append one outcome."""
        row = {"recording_id": recording_id, "run_id": run_id, "outcome": outcome}
        with writing(self._url) as connection:
            connection.execute(dispatches.insert().values(**row, reason=reason, at=now()))

    def between(self, since: datetime, until: datetime) -> tuple[Mapping[str, Any], ...]:
        """Outcomes {recording_id, run_id, outcome, reason, at} in [since, until)."""
        query = select(dispatches).where(dispatches.c.at >= since, dispatches.c.at < until)
        with reading(self._url) as connection:
            rows = connection.execute(query.order_by(dispatches.c.id)).mappings().all()
        return tuple({**row, "at": in_utc(row["at"])} for row in rows)

    def recordings(self) -> frozenset[str]:
        """Every recording whose announcement arrived."""
        with reading(self._url) as connection:
            return frozenset(connection.scalars(select(dispatches.c.recording_id).distinct()))

    def count(self, outcome: str, reason: str) -> int:
        """How many ended so, for that reason."""
        found = (dispatches.c.outcome == outcome, dispatches.c.reason == reason)
        query = select(func.count()).select_from(dispatches).where(*found)
        with reading(self._url) as connection:
            return int(connection.scalar(query) or 0)

    def first_at(self) -> datetime | None:
        """When the first outcome was written, or None."""
        with reading(self._url) as connection:
            return in_utc(connection.scalar(select(func.min(dispatches.c.at))))

    def last(self, recording_id: str) -> Mapping[str, Any] | None:
        """The youngest outcome for a recording, or None."""
        query = select(dispatches).where(dispatches.c.recording_id == recording_id)
        with reading(self._url) as connection:
            row = connection.execute(query.order_by(dispatches.c.id.desc()).limit(1)).mappings()
            return dict(found) if (found := row.first()) else None


def moved_on(connection: Connection, run: RunRecord, state: str, reason: str | None = None) -> bool:
    """As `Runs.move_on`, within a transaction that depends on it."""
    as_read = (runs.c.run_id == run.run_id, runs.c.updated_at == run.updated_at)
    values = {"state": state, "reason": reason, "updated_at": now()}
    return connection.execute(update(runs).where(*as_read).values(**values)).rowcount == 1


def _record(row: Row[Any]) -> RunRecord:
    values = dict(row._mapping)
    values["created_at"] = in_utc(values["created_at"])
    values["updated_at"] = in_utc(values["updated_at"])
    return RunRecord(**values)

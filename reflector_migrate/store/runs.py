"""The register of candidate runs: each change is conditional on the run as it was read.

A run is one execution of the primary's task: its identity is the transcript's and the task's,
whatever build of the candidate serves it. `model/run_life.py` says which changes there are.
A change returns the run as it is afterwards, or None if another was faster.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Update, func, or_, select, update

from reflector_migrate.errors import RefusedError
from reflector_migrate.model.run_life import (
    ENDS,
    IN_FLIGHT,
    NEEDS_PLACES,
    OPEN,
    RunState,
    is_step_of_life,
)
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import in_utc, now
from reflector_migrate.store.tables import dispatches, runs
from reflector_migrate.store.upsert import insert_once, one_at_a_time

REPLAYED = "replayed"
"""Stands for a task of unknown id: its announcement was lost, and its spans too."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One candidate run, as it was read. `state` is one of `model.run_life.RunState`.

    `recording_id` and `build` are empty until they are known. `owner` is the lease's while
    `lease_until` is set, else the ticket of the one message that may take the run up. From
    `erase_at` on its places are being erased; at `erased_at` nothing was left in them.
    """

    run_id: str
    claim: str
    recording_id: str
    transcript_id: str
    namespace: str
    build: str = ""
    state: str = RunState.CLAIMED
    reason: str | None = None
    workflow_id: str | None = None
    primary_task_id: str | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    version: int = 0
    owner: str | None = None
    lease_until: datetime | None = None
    tries: int = 0
    next_at: datetime | None = None
    failing_since: datetime | None = None
    waiting_since: datetime | None = None
    started_at: datetime | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    is_reopenable: bool = False
    erase_at: datetime | None = None
    erased_at: datetime | None = None


class Outcome(NamedTuple):
    """A line of the register of dispatches, written with the change that it is about."""

    outcome: str
    reason: str = ""


def claim_of(transcript_id: str, task_id: str | None) -> str:
    """One execution of the primary's task; of an unknown task, the transcript's only one."""
    return f"{transcript_id}:{task_id or REPLAYED}"


def run_id_of(claim: str) -> str:
    """The same on every host and for every build."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, claim))


def new_ticket() -> str:
    """A unique name."""
    return uuid.uuid4().hex


class Runs:
    """The register of candidate runs."""

    def __init__(self, url: str, clock: Callable[[], datetime] = now) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url
        self._now = clock

    def claim(self, run: RunRecord) -> bool:
        """True if this caller is the first to claim it; exactly one ever is.

        A run of the transcript that was replayed before its task was known, after `run` was
        announced, is the same run: it takes the task's id over. A replay of a transcript that
        has any run is none of its own.
        """
        values = {name: getattr(run, name) for name in RunRecord.__slots__}
        values |= {"request": dict(run.request), "inputs": dict(run.inputs)}
        with writing(self._url) as connection:
            one_at_a_time(connection, f"claim/{run.transcript_id}")
            known = select(runs).where(runs.c.transcript_id == run.transcript_id)
            for other in map(_record, connection.execute(known).all()):
                if run.primary_task_id in (None, other.primary_task_id):
                    return False
                if other.primary_task_id is None and announced_at(run) <= other.created_at:
                    _adopt(connection, other, run)
                    return False
            return insert_once(connection, runs, **values)

    def take(self, run_id: str, ticket: str | None, lease_s: float) -> RunRecord | None:
        """The run, leased to this caller alone; None if it has ended or is another's.

        With a `ticket` only if the run still waits for the message that bears it.
        """
        at, found = self._now(), self.by_id(run_id)
        if found is None or found.state not in OPEN or _is_leased(found, at):
            return None
        if ticket is not None and found.owner != ticket:
            return None
        lease = {"owner": new_ticket(), "lease_until": at + timedelta(seconds=lease_s)}
        return self._change(found, found.state, {**lease, "tries": found.tries + 1})

    def renew(self, run: RunRecord, lease_s: float) -> RunRecord | None:
        """The run with its whole lease before it again; None if another has taken it over."""
        until = self._now() + timedelta(seconds=lease_s)
        return self._change(run, run.state, {"lease_until": until})

    def move(
        self,
        run: RunRecord,
        state: str,
        *,
        until: datetime | None = None,
        outcome: Outcome | None = None,
        **values: Any,
    ) -> RunRecord | None:
        """Move a run on, with its line in the register; ValueError if its life has no such step.

        The lease stays, unless the run ends or is handed on: a message that bears the new
        `owner` takes it up, due at `until`. Another state means that nothing fails any more.
        RefusedError if the run would need places that were erased.
        """
        with writing(self._url) as connection:
            return moved(connection, run, state, self._now(), until, outcome, **values)

    def give_places(
        self, limit: int, admit: Callable[[RunRecord], str | None]
    ) -> tuple[RunRecord, ...]:
        """Start the oldest waiting runs while fewer than `limit` are in flight; those changed.

        Counting and taking are one transaction, so that callers together never exceed the
        limit. `admit` says why a run is skipped instead, or None.
        """
        changed = []
        with writing(self._url) as connection:
            one_at_a_time(connection, "places")
            at, free = self._now(), limit - _count_in_flight(connection)
            query = select(runs).where(runs.c.state == RunState.WAITING)
            for run in map(_record, connection.execute(query.order_by(runs.c.created_at)).all()):
                if _is_leased(run, at):
                    continue
                if reason := admit(run):
                    end = Outcome("skipped", reason)
                    changed.append(moved(connection, run, RunState.SKIPPED, at, None, end))
                elif free > 0:
                    changed.append(moved(connection, run, RunState.STARTING, at, at))
                    free -= 1
        return tuple(run for run in changed if run is not None)

    def by_id(self, run_id: str) -> RunRecord | None:
        """The run, or None."""
        return self._one(runs.c.run_id == run_id)

    def latest(self, recording_id: str) -> RunRecord | None:
        """The newest run of a recording, or None."""
        return self._one(runs.c.recording_id == recording_id)

    def announced_as(self, run: RunRecord) -> RunRecord | None:
        """The run that the register has for this announcement, or None."""
        known = self._all(runs.c.transcript_id == run.transcript_id)
        named = (one for one in known if run.primary_task_id in (None, one.primary_task_id))
        return next(named, known[-1] if known else None)

    def next_of(self, run: RunRecord) -> RunRecord | None:
        """The next run of the same transcript that was announced after this one, or None."""
        later = self._all(
            runs.c.transcript_id == run.transcript_id, runs.c.created_at > run.created_at
        )
        found = (one for one in later if announced_at(one) > announced_at(run))
        return next(found, None)

    def open(self) -> tuple[RunRecord, ...]:
        """Runs that have not ended, oldest first."""
        return self._all(runs.c.state.in_(OPEN))

    def due(self, grace_s: float) -> tuple[RunRecord, ...]:
        """Open runs whose message is overdue by `grace_s`, or whose worker's lease is over."""
        at = self._now()
        before = at - timedelta(seconds=grace_s)
        return self._all(
            runs.c.state.in_(OPEN),
            or_(runs.c.lease_until.is_(None), runs.c.lease_until <= at),
            or_(runs.c.next_at.is_(None), runs.c.next_at <= before),
        )

    def moved_since(self, at: datetime) -> tuple[RunRecord, ...]:
        """Runs that were changed at `at` or later, and those in flight."""
        return self._all(or_(runs.c.updated_at >= at, runs.c.state.in_(IN_FLIGHT)))

    def last_started(self, number: int) -> tuple[RunRecord, ...]:
        """The newest ended runs that had a workflow, at most so many."""
        query = select(runs).where(runs.c.started_at.isnot(None), runs.c.state.in_(ENDS))
        query = query.order_by(runs.c.started_at.desc()).limit(number)
        with reading(self._url) as connection:
            return tuple(map(_record, connection.execute(query).all()))

    def of_transcript(self, transcript_id: str) -> tuple[RunRecord, ...]:
        """Every run of a transcript, oldest first."""
        return self._all(runs.c.transcript_id == transcript_id)

    def of_recording(self, recording_id: str) -> tuple[RunRecord, ...]:
        """Every run of a recording, oldest first."""
        return self._all(runs.c.recording_id == recording_id)

    def erased(self) -> tuple[RunRecord, ...]:
        """Runs of which nothing should be left, oldest first."""
        return self._all(runs.c.erased_at.isnot(None))

    def not_erased(self) -> tuple[RunRecord, ...]:
        """Ended runs whose places may still hold something, oldest first."""
        return self._all(runs.c.state.in_(ENDS), runs.c.erased_at.is_(None))

    def failed_between(self, since: datetime, until: datetime) -> tuple[RunRecord, ...]:
        """Failed runs that can be opened again, claimed in [since, until), oldest first."""
        when = (runs.c.created_at >= since, runs.c.created_at < until)
        return self._all(runs.c.state == RunState.FAILED, runs.c.is_reopenable, *when)

    def count_in_flight(self) -> int:
        """How many runs hold a place."""
        with reading(self._url) as connection:
            return _count_in_flight(connection)

    def recordings(self) -> frozenset[str]:
        """Every recording that was ever claimed."""
        with reading(self._url) as connection:
            return frozenset(connection.scalars(select(runs.c.recording_id).distinct()))

    def transcripts(self) -> frozenset[str]:
        """Every transcript that was ever claimed: known before its recording is."""
        with reading(self._url) as connection:
            return frozenset(connection.scalars(select(runs.c.transcript_id).distinct()))

    def claimed_between(self, since: datetime, until: datetime) -> tuple[RunRecord, ...]:
        """Runs claimed in [since, until), oldest first."""
        return self._all(runs.c.created_at >= since, runs.c.created_at < until)

    def _change(self, run: RunRecord, state: str, values: Mapping[str, Any]) -> RunRecord | None:
        with writing(self._url) as connection:
            return _changed(connection, run, state, self._now(), values)

    def _all(self, *conditions: Any) -> tuple[RunRecord, ...]:
        query = select(runs).where(*conditions).order_by(runs.c.created_at)
        with reading(self._url) as connection:
            return tuple(map(_record, connection.execute(query).all()))

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
        """The newest outcome for a recording, or None."""
        query = select(dispatches).where(dispatches.c.recording_id == recording_id)
        with reading(self._url) as connection:
            row = connection.execute(query.order_by(dispatches.c.id.desc()).limit(1)).mappings()
            return dict(found) if (found := row.first()) else None


def moved(
    connection: Connection,
    run: RunRecord,
    state: str,
    at: datetime,
    until: datetime | None = None,
    outcome: Outcome | None = None,
    **values: Any,
) -> RunRecord | None:
    """As `Runs.move`, within a transaction that depends on it."""
    if not is_step_of_life(run.state, state):
        raise ValueError(f"run {run.run_id} cannot go from {run.state} to {state}")
    if run.erase_at is not None and state in NEEDS_PLACES:
        raise RefusedError(
            f"run {run.run_id} was erased: the primary's recording or its audio was deleted",
            hint="its stored comparison stays; it cannot run again",
        )
    if state != run.state:
        values = {"tries": 0, "failing_since": None, "reason": None, **values}
    if state not in OPEN:
        values |= {"owner": None, "lease_until": None, "next_at": None}
    elif until is not None:
        values |= {"owner": new_ticket(), "lease_until": None, "next_at": until}
    if outcome is not None:
        values["reason"] = outcome.reason or None
    after = _changed(connection, run, state, at, values)
    if after is not None and outcome is not None:
        row = {"recording_id": after.recording_id, "run_id": after.run_id, **outcome._asdict()}
        connection.execute(dispatches.insert().values(**row, at=at))
    return after


def _changed(
    connection: Connection, run: RunRecord, state: str, at: datetime, values: Mapping[str, Any]
) -> RunRecord | None:
    """The one update of a run there is: of exactly this run in exactly this state, or of none."""
    as_read = (
        runs.c.run_id == run.run_id,
        runs.c.state == run.state,
        runs.c.version == run.version,
    )
    changes = {**values, "state": str(state), "updated_at": at, "version": run.version + 1}
    done: Update = update(runs).where(*as_read).values(**changes)
    return replace(run, **changes) if connection.execute(done).rowcount == 1 else None


def _adopt(connection: Connection, replayed: RunRecord, announced: RunRecord) -> None:
    """The task of a replayed run is known now; the process that works on the run continues."""
    as_read = (runs.c.run_id == replayed.run_id, runs.c.state == replayed.state)
    known = {"primary_task_id": announced.primary_task_id, "request": dict(announced.request)}
    connection.execute(update(runs).where(*as_read).values(**known))


def announced_at(run: RunRecord) -> datetime:
    """When the primary's worker announced it; when it was claimed, if the message does not say."""
    said = run.request.get("published_at")
    return in_utc(datetime.fromisoformat(str(said))) or run.created_at if said else run.created_at


def _is_leased(run: RunRecord, at: datetime) -> bool:
    return run.lease_until is not None and run.lease_until > at


def _count_in_flight(connection: Connection) -> int:
    query = select(func.count()).select_from(runs).where(runs.c.state.in_(IN_FLIGHT))
    return int(connection.scalar(query) or 0)


def _record(row: Row[Any]) -> RunRecord:
    values = dict(row._mapping)
    return RunRecord(**values | {name: in_utc(values[name]) for name in _TIMES})


_TIMES = (
    "created_at", "updated_at", "lease_until", "next_at", "failing_since", "waiting_since",
    "started_at", "erase_at", "erased_at",
)  # fmt: skip

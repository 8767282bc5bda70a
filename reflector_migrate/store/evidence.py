"""Observations and comparisons: written once, read by the report and the gates.

A run's first comparison is its night's: a night is never repaired. What a manual retry
or rerun makes of the run is compared again and stored beside it. A reader who asks for
the run or its recording gets the newest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, Text, cast, func, or_, select

from reflector_migrate.errors import UnreadableError
from reflector_migrate.model import Comparison, Observation, Role
from reflector_migrate.model.run_life import RunState
from reflector_migrate.store.aa_pairs import LegacyPair, add_pair
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import in_utc, now
from reflector_migrate.store.documents import comparison_of, parsed
from reflector_migrate.store.gists import add_gist
from reflector_migrate.store.runs import RunRecord, moved
from reflector_migrate.store.tables import comparisons, later_comparisons, observations, spans
from reflector_migrate.store.upsert import insert_once

log = logging.getLogger(__name__)

_NEVER = datetime.min.replace(tzinfo=UTC)


class Evidence:
    """What was seen and what was concluded."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def add(
        self,
        sides: list[Observation],
        comparison: Comparison,
        night: str,
        pair: LegacyPair | None = None,
        closing: RunRecord | None = None,
    ) -> bool:
        """Store a comparison with its observations, all or nothing; False if it is not kept.

        `pair` is how far the primary lies from its secondary, where one ran. `closing` is the
        registered run, as it was when one began to observe it: it is `compared` with this, and
        nothing is stored of one that has moved on since, being run again, say. Without it a
        second comparison of a run is not kept.
        """
        with writing(self._url) as connection:
            if closing and not moved(connection, closing, RunState.COMPARED, now()):
                return False
            if pair is not None:
                add_pair(connection, pair)
            if _add_first(connection, sides, comparison, night):
                return True
            if closing is not None:
                _add_later(connection, sides, comparison)
            return closing is not None

    def keep(self, seen: Observation, go: int = 0) -> bool:
        """Store one side's account before anything is judged; False if that go's was there.

        `go` counts how often the run was retried or run again manually before.
        """
        with writing(self._url) as connection:
            return _add_observation(connection, seen.run_id or "", seen, go)

    def kept(self, run_id: str) -> Mapping[Role, int]:
        """The sides of a run that are stored, each with the last go that it is stored of."""
        query = select(observations.c.role, func.max(observations.c.go))
        mine = query.where(observations.c.run_id == run_id).group_by(observations.c.role)
        with reading(self._url) as connection:
            return {Role(role): int(go) for role, go in connection.execute(mine).all()}

    def comparison(self, run_id: str) -> Comparison | None:
        """The newest comparison of one run, or None."""
        return self._youngest("run_id", run_id)

    def first(self, run_id: str) -> Comparison | None:
        """The comparison that stands in the run's night, or None."""
        return self._found(comparisons, "run_id", run_id)[1]

    def latest(self, recording_id: str) -> Comparison | None:
        """The newest comparison of a recording, or None."""
        return self._youngest("recording_id", recording_id)

    def observation(self, run_id: str, role: Role) -> Observation | None:
        """One side of a run as it was last seen, or None. Raises UnreadableError."""
        query = select(observations.c.go, observations.c.body).where(
            observations.c.run_id == run_id, observations.c.role == role.value
        )
        later = select(later_comparisons.c.sides).where(later_comparisons.c.run_id == run_id)
        with reading(self._url) as connection:
            last = connection.execute(query.order_by(observations.c.go.desc()).limit(1)).first()
            sides = connection.scalar(later.order_by(later_comparisons.c.id.desc()).limit(1))
        body = last.body if last else None
        if not (last and last.go):  # schema 4 kept what was seen later with its comparison only
            body = (sides or {}).get(role.value, body)
        what = f"the {role.value}'s stored account"
        return None if body is None else parsed(Observation, body, what)

    def earlier_candidate(self, candidate: Observation) -> Observation | None:
        """The newest other run of this recording by the same build of the candidate, or None.

        None as well where that one cannot be read: it is no fault of this run.
        """
        query = select(observations.c.body).where(
            observations.c.recording_id == candidate.recording,
            observations.c.role == Role.CANDIDATE.value,
            observations.c.run_id != candidate.run_id,
        )
        with reading(self._url) as connection:
            body = connection.scalar(query.order_by(observations.c.id.desc()).limit(1))
        try:
            found = None if body is None else parsed(Observation, body, "an earlier account")
        except UnreadableError as error:
            log.warning("recording %s: %s", candidate.recording, error.in_full)
            return None
        return found if found and found.build == candidate.build else None

    def compared_runs(self) -> frozenset[str]:
        """Every run that a comparison is stored of."""
        with reading(self._url) as connection:
            return frozenset(connection.scalars(select(comparisons.c.run_id)))

    def nights(self) -> tuple[tuple[str, str, int], ...]:
        """(night, verdict, count) for all nights, oldest first."""
        query = select(comparisons.c.night, comparisons.c.verdict, func.count())
        grouped = query.group_by(comparisons.c.night, comparisons.c.verdict)
        with reading(self._url) as connection:
            rows = connection.execute(grouped.order_by(comparisons.c.night)).all()
        return tuple((night, verdict, count) for night, verdict, count in rows)

    def _youngest(self, column: str, value: str) -> Comparison | None:
        """Of both tables, by when it was written."""
        found = [self._found(table, column, value) for table in (comparisons, later_comparisons)]
        return max(found, key=lambda one: one[0])[1]

    def _found(self, table: Table, column: str, value: str) -> tuple[datetime, Comparison | None]:
        known = (table.c.at, table.c.run_id, table.c.recording_id, table.c.body)
        query = select(*known).where(table.c[column] == value)
        with reading(self._url) as connection:
            row = connection.execute(query.order_by(table.c.id.desc()).limit(1)).first()
        if row is None:
            return _NEVER, None
        return in_utc(row.at) or _NEVER, comparison_of(row.run_id, row.recording_id, row.body)


def _add_first(
    connection: Connection, sides: Iterable[Observation], comparison: Comparison, night: str
) -> bool:
    """False, and nothing kept, if the run has one."""
    row = {"run_id": comparison.run_id, "recording_id": comparison.recording, "night": night}
    row |= {"verdict": comparison.verdict.value, "body": comparison.model_dump_json(by_alias=True)}
    if not insert_once(connection, comparisons, **row, at=now()):
        return False
    add_gist(connection, comparison)
    for side in sides:
        _add_observation(connection, comparison.run_id or "", side)
    return True


def _add_observation(connection: Connection, run_id: str, side: Observation, go: int = 0) -> bool:
    row = {"run_id": run_id, "role": side.role.value, "go": go, "recording_id": side.recording}
    body = side.model_dump_json(by_alias=True)
    return insert_once(connection, observations, **row, body=body, at=now())


def _add_later(
    connection: Connection, sides: Iterable[Observation], comparison: Comparison
) -> None:
    connection.execute(
        later_comparisons.insert().values(
            run_id=comparison.run_id,
            recording_id=comparison.recording,
            verdict=comparison.verdict.value,
            body=comparison.model_dump_json(by_alias=True),
            sides={side.role.value: side.model_dump_json(by_alias=True) for side in sides},
            at=now(),
        )
    )


BODIES = frozenset({"asked", "answered", "headers"})
"""Of an outside call: what holds speech."""


class Spans:
    """What the plugin in the primary's worker timed, by task."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def add(self, message: Mapping[str, Any]) -> bool:
        """Store one attempt's message {task_id, retries, ...}; False if it was there."""
        attempt = f"{message['task_id']}:{message.get('retries', 0)}"
        row = {"transcript_id": str(message["transcript_id"]), "task_id": attempt}
        with writing(self._url) as connection:
            return insert_once(connection, spans, **row, body=dict(message), at=now())

    def uses(self) -> tuple[tuple[str, tuple[str, ...], datetime], ...]:
        """(task, the inner steps that ran, when it arrived) of each message, by arrival."""
        query = select(spans.c.body, spans.c.at).order_by(spans.c.id)
        with reading(self._url) as connection:
            rows = connection.execute(query).all()
        return tuple(
            (str(body.get("task")), _steps_in(body), in_utc(at) or now()) for body, at in rows
        )

    def forget_bodies(self, transcript_id: str) -> None:
        """Remove what was asked and answered; times, sizes, tokens and digests stay."""
        mine = spans.c.transcript_id == transcript_id
        with writing(self._url) as connection:
            for row in connection.execute(select(spans.c.id, spans.c.body).where(mine)).all():
                calls = row.body.get("calls", ())
                if any(BODIES & call.keys() for call in calls):
                    kept = [{k: v for k, v in c.items() if k not in BODIES} for c in calls]
                    body = {**row.body, "calls": kept}
                    connection.execute(spans.update().where(spans.c.id == row.id).values(body=body))

    def with_bodies(self, before: datetime) -> Mapping[str, datetime]:
        """Transcripts with calls that still have their bodies, the newest from before then."""
        has_bodies = (cast(spans.c.body, Text).contains(f'"{word}"') for word in sorted(BODIES))
        newest = func.max(spans.c.at)
        query = select(spans.c.transcript_id, newest).where(or_(*has_bodies))
        with reading(self._url) as connection:
            found = connection.execute(
                query.group_by(spans.c.transcript_id).having(newest < before)
            ).all()
        return {transcript_id: in_utc(at) or _NEVER for transcript_id, at in found}

    def bodies_left(self, transcript_id: str) -> int:
        """How many calls of a transcript still have what was asked or answered."""
        calls = (call for body in self.of(transcript_id) for call in body.get("calls", ()))
        return sum(bool(BODIES & call.keys()) for call in calls)

    def latest(self, task: str, count: int) -> tuple[Mapping[str, Any], ...]:
        """The newest messages of tasks whose name ends so, among the last 20 times as many."""
        query = select(spans.c.body).order_by(spans.c.id.desc()).limit(20 * count)
        with reading(self._url) as connection:
            found = connection.scalars(query).all()
        return tuple(body for body in found if str(body["task"]).endswith(task))[:count]

    def between(self, since: datetime, until: datetime) -> tuple[Mapping[str, Any], ...]:
        """Every task's message that arrived in [since, until), in the order of arrival."""
        query = select(spans.c.body).where(spans.c.at >= since, spans.c.at < until)
        with reading(self._url) as connection:
            return tuple(connection.scalars(query.order_by(spans.c.id)).all())

    def of(self, transcript_id: str) -> tuple[Mapping[str, Any], ...]:
        """Every task's message for a transcript, in the order of arrival."""
        query = select(spans.c.body).where(spans.c.transcript_id == transcript_id)
        with reading(self._url) as connection:
            return tuple(connection.scalars(query.order_by(spans.c.id)).all())


def _steps_in(body: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted({str(span["name"]) for span in body.get("spans") or ()}))

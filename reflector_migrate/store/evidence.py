"""Observations and comparisons: written once, read by the report and the gates."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import func, select

from reflector_migrate.model import Comparison, Observation, Role
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.pairs import LegacyPair, add_pair
from reflector_migrate.store.runs import RunRecord, moved_on
from reflector_migrate.store.tables import comparisons, observations, spans
from reflector_migrate.store.upsert import insert_once


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
        """Store a comparison with its observations, all or nothing; False if it was there.

        `pair` is how far the primary lies from its secondary, where one ran. `closing` is the
        registered run, as it was when one began to observe it: it is `compared` with this, and
        nothing is stored of one that has moved on since, being run again, say.
        """
        with writing(self._url) as connection:
            if closing is not None and not moved_on(connection, closing, "compared"):
                return False
            if pair is not None:
                add_pair(connection, pair)
            for side in sides:
                insert_once(
                    connection,
                    observations,
                    run_id=comparison.run_id,
                    role=side.role.value,
                    recording_id=side.recording,
                    body=side.model_dump_json(by_alias=True),
                    at=now(),
                )
            return insert_once(
                connection,
                comparisons,
                run_id=comparison.run_id,
                recording_id=comparison.recording,
                night=night,
                verdict=comparison.verdict.value,
                body=comparison.model_dump_json(by_alias=True),
                at=now(),
            )

    def comparison(self, run_id: str) -> Comparison | None:
        """The comparison of one run, or None."""
        return self._comparison(comparisons.c.run_id == run_id)

    def latest(self, recording_id: str) -> Comparison | None:
        """The youngest comparison of a recording, or None."""
        return self._comparison(comparisons.c.recording_id == recording_id)

    def observation(self, run_id: str, role: Role) -> Observation | None:
        """One side of a run as it was seen, or None."""
        query = select(observations.c.body).where(
            observations.c.run_id == run_id, observations.c.role == role.value
        )
        with reading(self._url) as connection:
            body = connection.scalar(query)
        return None if body is None else Observation.model_validate_json(body)

    def earlier_candidate(self, candidate: Observation) -> Observation | None:
        """The youngest other run of this recording by the same build of the candidate, or None."""
        query = select(observations.c.body).where(
            observations.c.recording_id == candidate.recording,
            observations.c.role == Role.CANDIDATE.value,
            observations.c.run_id != candidate.run_id,
        )
        with reading(self._url) as connection:
            body = connection.scalar(query.order_by(observations.c.id.desc()).limit(1))
        found = None if body is None else Observation.model_validate_json(body)
        return found if found and found.build == candidate.build else None

    def bodies(self, *, since: str = "", until: str = "9999") -> Iterator[Mapping[str, Any]]:
        """Comparisons of nights in [since, until] as plain JSON, oldest first."""
        query = select(comparisons.c.body).where(comparisons.c.night.between(since, until))
        with reading(self._url) as connection:
            for body in connection.scalars(query.order_by(comparisons.c.id)):
                yield json.loads(body)

    def of_night(self, night: str) -> tuple[Comparison, ...]:
        """A night's comparisons, oldest first.

        All of them stay, and looking for garbage among them would take most of the time.
        """
        query = select(comparisons.c.body).where(comparisons.c.night == night)
        with reading(self._url) as connection, uncollected():
            bodies = connection.scalars(query.order_by(comparisons.c.id))
            return tuple(map(Comparison.model_validate_json, bodies))

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

    def _comparison(self, condition: Any) -> Comparison | None:
        query = select(comparisons.c.body).where(condition).order_by(comparisons.c.id.desc())
        with reading(self._url) as connection:
            body = connection.scalar(query.limit(1))
        return None if body is None else Comparison.model_validate_json(body)


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is looked for meanwhile; afterwards as before, whatever happens."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


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

    def of(self, transcript_id: str) -> tuple[Mapping[str, Any], ...]:
        """Every task's message for a transcript, in the order of arrival."""
        query = select(spans.c.body).where(spans.c.transcript_id == transcript_id)
        with reading(self._url) as connection:
            return tuple(connection.scalars(query.order_by(spans.c.id)).all())

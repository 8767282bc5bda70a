"""Nights as they are counted: from gists, with the documents behind for those who want them.

A comparison without a gist that counts is read whole: no night is ever short of one.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, func, select

from reflector_migrate.model import Comparison, Gist
from reflector_migrate.store.base import reading
from reflector_migrate.store.clock import in_utc
from reflector_migrate.store.documents import comparison_of
from reflector_migrate.store.gists import BESIDE, gists, made, portions
from reflector_migrate.store.tables import comparisons, later_comparisons

SEEDED = '"defects":["'
"""How a document with a defect is spelled; inside a text its quotes would be escaped."""

SANDBOXS = '"origin":"sandbox"'
"""The same of one that a sandbox ran."""

REFUSED = '"rule":"unreadable"'
"""The same of one where a side's rows could not be read."""

_COLUMNS = [gists.c[name] for name in Gist._fields]


class Nights:
    """Nights as they are counted, and the documents behind."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def of(self, night: str) -> tuple[Gist, ...]:
        """A night's gists, oldest first."""
        return self._gists(comparisons.c.night == night)

    def all(self) -> tuple[Gist, ...]:
        """The gists of all nights, oldest first."""
        return self._gists(comparisons.c.id.is_not(None))

    def first_at(self, candidate_build: str) -> datetime | None:
        """When the first comparison of that candidate build was stored, or None."""
        query = select(func.min(comparisons.c.at)).select_from(BESIDE)
        with reading(self._url) as connection:
            found = connection.scalar(query.where(gists.c.candidate_build == candidate_build))
        return in_utc(found)

    def stored_before(self, at: datetime, candidate_build: str, *, is_sandbox: bool) -> int:
        """How many comparisons of that candidate build were stored by then, as evidence about it.

        Without those of runs with a seeded defect; a deployment's own alone, unless it
        `is_sandbox`.
        """
        query = select(func.count()).select_from(BESIDE)
        query = query.where(gists.c.candidate_build == candidate_build, comparisons.c.at < at)
        for left_out in (SEEDED,) if is_sandbox else (SEEDED, SANDBOXS):
            query = query.where(~comparisons.c.body.contains(left_out))
        with reading(self._url) as connection:
            return connection.scalar(query) or 0

    def seeded(self) -> dict[str, tuple[str, str]]:
        """Run -> (night, verdict) of each comparison whose candidate had a defect injected.

        They prove the harness and say nothing about the candidate. Only a sandbox has any.
        """
        columns = (comparisons.c.run_id, comparisons.c.night, comparisons.c.verdict)
        query = select(*columns, comparisons.c.body).where(comparisons.c.body.contains(SEEDED))
        with reading(self._url) as connection:
            found = connection.execute(query).all()
        return {
            run_id: (night, verdict)
            for run_id, night, verdict, body in found
            if json.loads(body)["defects"]
        }

    def verdicts(self, run_ids: Collection[str]) -> dict[str, tuple[str, str]]:
        """Run -> (night, verdict), of those that are compared."""
        columns = (comparisons.c.run_id, comparisons.c.night, comparisons.c.verdict)
        found: dict[str, tuple[str, str]] = {}
        with reading(self._url) as connection:
            for some in portions(sorted(run_ids)):
                rows = connection.execute(select(*columns).where(comparisons.c.run_id.in_(some)))
                found.update((run_id, (night, verdict)) for run_id, night, verdict in rows)
        return found

    def unreadable_since(self, since: datetime) -> tuple[str, ...]:
        """Why a side could not be read, of each comparison since then where one could not."""
        columns = (comparisons.c.run_id, comparisons.c.recording_id, comparisons.c.body)
        query = select(*columns).where(comparisons.c.at >= since)
        query = query.where(comparisons.c.verdict.in_(("ERRORED", "DIVERGED")))
        with reading(self._url) as connection:
            rows = connection.execute(query.where(comparisons.c.body.contains(REFUSED))).all()
        found = (comparison_of(*row) for row in rows)
        return tuple(
            f"{one.recording}: {check.note}"
            for one in found
            for check in one.checks
            if check.rule == "unreadable"
        )

    def documents(self, run_ids: Sequence[str]) -> tuple[Comparison, ...]:
        """The comparisons of these runs, in the order given; KeyError where one is gone.

        One that was run again manually says what it has become since, and one that cannot be
        read is ERRORED.
        """
        with reading(self._url) as connection:
            bodies = _youngest(connection, run_ids, comparisons, "body")
            names = _youngest(connection, run_ids, comparisons, "recording_id")
            later = _youngest(connection, run_ids, later_comparisons, "verdict")
        with uncollected():
            found = [comparison_of(run, names[run], bodies[run]) for run in run_ids]
        return tuple(_superseded(first, later.get(first.run_id)) for first in found)

    def _gists(self, condition: ColumnElement[bool]) -> tuple[Gist, ...]:
        query = select(*_COLUMNS).select_from(BESIDE).where(condition).order_by(comparisons.c.id)
        with reading(self._url) as connection, uncollected():
            found = tuple(map(Gist._make, connection.execute(query)))
            if all(gist.run_id is not None for gist in found):
                return found
            ids = connection.scalars(query.with_only_columns(comparisons.c.id)).all()
            kept = dict(zip(ids, found, strict=True))
            lacking = [place for place, gist in kept.items() if gist.run_id is None]
            return tuple((kept | dict(made(connection, lacking))).values())


def _youngest(
    connection: Connection, run_ids: Sequence[str], table: Table, column: str
) -> dict[str, str]:
    """Run -> what stands in that column of its newest row."""
    query = select(table.c.run_id, table.c[column]).order_by(table.c.id)
    found: dict[str, str] = {}
    for some in portions(run_ids):
        rows = connection.execute(query.where(table.c.run_id.in_(some)))
        found.update((run_id, value) for run_id, value in rows)
    return found


def _superseded(first: Comparison, verdict: str | None) -> Comparison:
    """The night's comparison, with what it has become since by a rerun."""
    if verdict is None:
        return first
    why = f"run again manually since, and then {verdict}; this verdict is the night's"
    return first.model_copy(update={"notes": (*first.notes, why)})


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

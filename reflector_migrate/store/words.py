"""Erases the words that the store has of a run; counts, times and verdicts stay."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import delete, select, update

from reflector_migrate.model import Comparison
from reflector_migrate.store.base import writing
from reflector_migrate.store.gists import add_gist
from reflector_migrate.store.tables import (
    artifacts,
    comparisons,
    effects,
    events,
    later_comparisons,
    observations,
)


def forget_words(url: str, run_id: str, hide: Callable[[Comparison], Comparison]) -> None:
    """Delete a run's artifacts, observations, events and effects; `hide` its comparisons' words.

    All or nothing, and twice without harm. The run can be neither judged nor explained again.
    """
    with writing(url) as connection:
        for table in (artifacts, observations, events, effects):
            connection.execute(delete(table).where(table.c.run_id == run_id))
        for table in (comparisons, later_comparisons):
            known = select(table.c.id, table.c.body).where(table.c.run_id == run_id)
            for number, body in connection.execute(known).all():
                bare = hide(Comparison.model_validate_json(body))
                kept = {"body": bare.model_dump_json(by_alias=True)}
                connection.execute(update(table).where(table.c.id == number).values(**kept))
                if table is comparisons:
                    add_gist(connection, bare)
        of_run = later_comparisons.c.run_id == run_id
        connection.execute(update(later_comparisons).where(of_run).values(sides={}))

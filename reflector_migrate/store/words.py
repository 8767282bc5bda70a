"""Erases the words that the store has of a run; counts, times and verdicts stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import delete, func, select, update

from reflector_migrate.errors import UnreadableError
from reflector_migrate.model import Comparison
from reflector_migrate.store.artifacts import CACHED
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.documents import OURS, comparison_of, parsed
from reflector_migrate.store.gists import add_gist
from reflector_migrate.store.tables import (
    artifacts,
    comparisons,
    effects,
    events,
    later_comparisons,
    observations,
    task_cache,
)

TABLES = (artifacts, observations, events, effects)
"""Their rows of a run are its words, and nothing else."""


def forget_words(url: str, run_id: str, hide: Callable[[Comparison], Comparison]) -> None:
    """Delete a run's artifacts, observations, events and effects; `hide` its comparisons' words.

    Cached answers of recogniser and language model go too, as far as the run asked for them.
    All or nothing, and twice without harm. The run can be neither judged nor explained again.
    """
    with writing(url) as connection:
        refs = connection.scalars(select(artifacts.c.ref).where(artifacts.c.run_id == run_id))
        keys = [ref.rpartition("/")[2] for ref in refs if ref.split("/")[1:2] == [CACHED]]
        connection.execute(delete(task_cache).where(task_cache.c.key.in_(keys)))
        for table in TABLES:
            connection.execute(delete(table).where(table.c.run_id == run_id))
        for table in (comparisons, later_comparisons):
            columns = (table.c.id, table.c.recording_id, table.c.body)
            known = select(*columns).where(table.c.run_id == run_id)
            for number, recording_id, body in connection.execute(known).all():
                bare = hide(comparison_of(run_id, recording_id, body))
                kept = {"body": bare.model_dump_json(by_alias=True)}
                connection.execute(update(table).where(table.c.id == number).values(**kept))
                if table is comparisons:
                    add_gist(connection, bare)
        of_run = later_comparisons.c.run_id == run_id
        connection.execute(update(later_comparisons).where(of_run).values(sides={}))


def _has_words(body: str, hide: Callable[[Comparison], Comparison]) -> bool:
    """What cannot be read may have any."""
    try:
        found = parsed(Comparison, body, OURS)
    except UnreadableError:
        return True
    return hide(found) != found


def words_left(
    url: str, run_id: str, hide: Callable[[Comparison], Comparison]
) -> Mapping[str, int]:
    """How many rows of each table still have words of a run; empty after `forget_words`."""
    left: dict[str, int] = {}
    with reading(url) as connection:
        for table in TABLES:
            of_run = select(func.count()).select_from(table).where(table.c.run_id == run_id)
            left[table.name] = connection.scalar(of_run) or 0
        for table in (comparisons, later_comparisons):
            bodies = connection.scalars(select(table.c.body).where(table.c.run_id == run_id))
            left[table.name] = sum(_has_words(body, hide) for body in bodies)
        sides = select(later_comparisons.c.sides).where(later_comparisons.c.run_id == run_id)
        left["later_comparisons"] += sum(map(bool, connection.scalars(sides)))
    return {name: number for name, number in left.items() if number}

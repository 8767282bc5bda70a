"""What is still there of a run that was erased: looked for in every place, and listed."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from reflector_migrate.settings import Settings
from reflector_migrate.store.base import reading
from reflector_migrate.store.runs import RunRecord
from reflector_migrate.store.tables import artifacts, observations

WORDS = {"artifacts": artifacts, "observations": observations}
"""Tables of our store that hold a run's words."""


def leftovers(settings: Settings, run: RunRecord) -> tuple[str, ...]:
    """Objects, tables, folder and stored words of a run, a line each; empty as it should be.

    Raises MigrateError when a server does not answer: then nobody knows.
    """
    return tuple(_leftovers(settings, run.run_id))


def _leftovers(settings: Settings, run_id: str) -> Iterator[str]:
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.places import candidate_url, place_of_run
    from reflector_migrate.pipeline.rows import find_run_tables
    from reflector_migrate.pipeline.services.connections import connections
    from reflector_migrate.pipeline.services.storage import Storage, address

    place = place_of_run(settings, run_id)
    storage = Storage(connections(settings).s3, UsageMeter(), frozenset())
    for bucket in dict.fromkeys((place.tracks_bucket, place.media_bucket)):
        yield from (f"object {found.address}" for found in storage.list(address(bucket, "")))
    if place.data_dir.exists():
        yield f"folder {place.data_dir}"
    if find_run_tables(candidate_url(settings), run_id) is not None:
        yield "tables of the run in candidate.database_url"
    with reading(settings.store_url) as connection:
        for name, table in WORDS.items():
            query = select(func.count()).select_from(table).where(table.c.run_id == run_id)
            if number := connection.scalar(query):
                yield f"words: {number} rows of {name}"

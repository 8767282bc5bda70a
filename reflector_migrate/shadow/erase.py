"""Erases what a run of the candidate's left in its own places, whatever state it reached.

It belongs to the run and not to the workflow: a run that failed, was terminated or never
started has copies of the tracks as well.
"""

from __future__ import annotations

import shutil

from reflector_migrate.settings import Settings


def erase_run(settings: Settings, run_id: str) -> None:
    """Delete its objects, its rows and its folder on this host; what is gone already stays gone.

    Sound goes first. Raises RefusedError where the candidate's database lacks our mark, and
    before anything is deleted; OutageError or TransientStepError when a server does not answer,
    and may then be called again.
    """
    from reflector_migrate.pipeline.places import candidate_url, place_of_run
    from reflector_migrate.pipeline.rows import Rows, drop_run_tables, require_mark
    from reflector_migrate.pipeline.rows.transactions import reading
    from reflector_migrate.shadow.snapshot import require_separate

    require_separate(settings)
    url = candidate_url(settings)
    with reading(Rows.at(url).engine) as connection:
        require_mark(connection)
    place = place_of_run(settings, run_id)
    erase_objects(settings, run_id)
    if place.data_dir.is_dir():
        shutil.rmtree(place.data_dir)
    drop_run_tables(url, run_id)


def erase_objects(settings: Settings, run_id: str) -> None:
    """Delete a run's tracks and media from the candidate's buckets."""
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.places import place_of_run
    from reflector_migrate.pipeline.services.connections import connections
    from reflector_migrate.pipeline.services.storage import Storage, address

    place = place_of_run(settings, run_id)
    mine = frozenset({place.tracks_bucket, place.media_bucket})
    storage = Storage(connections(settings).s3, UsageMeter(), mine)
    for bucket in sorted(mine):
        for found in storage.list(address(bucket, "")):
            storage.delete(found.address)

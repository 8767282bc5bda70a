"""What is still there of a run that was erased: looked for in every place, and listed."""

from __future__ import annotations

from collections.abc import Iterator

from reflector_migrate.harness import Harness
from reflector_migrate.shadow.erase import is_erased
from reflector_migrate.store.runs import RunRecord


def leftovers(harness: Harness, run: RunRecord) -> tuple[str, ...]:
    """Objects, tables, folder, words and workflow of a run, a line each; empty as it should be.

    Raises MigrateError when a server does not answer: then it is unknown.
    """
    return (*_in_places(harness, run.run_id), *_words(harness, run))


def _in_places(harness: Harness, run_id: str) -> Iterator[str]:
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.places import candidate_url, place_of_run
    from reflector_migrate.pipeline.rows import find_run_tables
    from reflector_migrate.pipeline.services.storage import Storage, address

    place = place_of_run(harness.settings, run_id)
    storage = Storage(harness.connections.s3, UsageMeter(), frozenset())
    for bucket in dict.fromkeys((place.tracks_bucket, place.media_bucket)):
        yield from (f"object {found.address}" for found in storage.list(address(bucket, "")))
    if place.data_dir.exists():
        yield f"folder {place.data_dir}"
    if find_run_tables(candidate_url(harness.settings), run_id) is not None:
        yield "tables of the run in candidate.database_url"


def _words(harness: Harness, run: RunRecord) -> Iterator[str]:
    from reflector_migrate.conductor.execution import read
    from reflector_migrate.store.words import words_left
    from reports.redact import hide

    left = words_left(harness.settings.store_url, run.run_id, hide)
    yield from (f"words: {number} rows of {name}" for name, number in left.items())
    number = harness.spans.bodies_left(run.transcript_id)
    if number and is_erased(harness, run.transcript_id):
        yield f"words: {number} calls of the primary with their bodies"
    if run.workflow_id and read(harness, run.workflow_id).status != "missing":
        yield f"workflow {run.workflow_id} on Conductor, with its inputs and outputs"

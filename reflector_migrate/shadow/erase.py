"""Erases what a run of the candidate's left in its own places, whatever state it reached.

It belongs to the run and not to the workflow: a run that failed, was terminated or never
started has copies of the tracks as well. An ended run stays in its places while it can be
retried, run again or opened again. Nothing keeps it there once the primary has deleted the
recording or its audio, or its meeting has refused consent, nor after `candidate.keep_days`.
The store's words of it, and its workflow with their copies, go as well; counts and verdict stay.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from datetime import timedelta
from itertools import islice

from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.model.run_life import ENDS, RunState
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.store.runs import RunRecord

log = logging.getLogger(__name__)

ON_ITS_WAY = timedelta(days=1)
"""How long the announcement of what the plugin saw may still be on its way."""

AT_ONCE = 500
"""Transcripts that the primary is asked about in one query."""


def erase_ended(shadow: Shadow, runs: Sequence[RunRecord] | None = None) -> int:
    """Erase these runs, or all, where they have ended and nothing keeps them; how many were.

    What cannot be erased now is logged, and erased when this is called again. MigrateError
    when the primary's database or our store does not answer.
    """
    ended = iter(shadow.runs.not_erased() if runs is None else runs)
    erased = 0
    while batch := list(islice(ended, AT_ONCE)):
        gone = _may_not_be_kept(shadow.settings, [run.transcript_id for run in batch])
        old = shadow.now() - timedelta(days=shadow.settings.candidate.keep_days)
        for run in batch:
            may_be_kept = run.transcript_id not in gone and run.updated_at > old
            if not is_kept(run, may_be_kept=may_be_kept):
                erased += _erased(shadow, run)
    return erased


def erase_now(shadow: Shadow, runs: Sequence[RunRecord]) -> int:
    """Erase ended runs whatever would keep them, as when consent was withdrawn; how many were.

    Of those that were erased before, what an older version left goes too.
    """
    ended = [run for run in runs if run.state in ENDS]
    for run in ended:
        if run.erased_at is not None:
            _forget(shadow.harness, run)
    return sum(_erased(shadow, run) for run in ended if run.erased_at is None)


def forget_unclaimed(shadow: Shadow) -> None:
    """Erase what the plugin saw of calls where no run was ever claimed, after the same rules."""
    runs, spans, at = shadow.runs, shadow.harness.spans, shadow.now()
    found = {
        transcript_id: newest
        for transcript_id, newest in spans.with_bodies(at - ON_ITS_WAY).items()
        if not runs.of_transcript(transcript_id)
    }
    old = at - timedelta(days=shadow.settings.candidate.keep_days)
    names = iter(sorted(found))
    while batch := list(islice(names, AT_ONCE)):
        gone = _may_not_be_kept(shadow.settings, batch)
        for transcript_id in batch:
            if transcript_id in gone or found[transcript_id] <= old:
                spans.forget_bodies(transcript_id)


def is_erased(harness: Harness, transcript_id: str) -> bool:
    """Whether a transcript has runs, and each of them was erased or is being erased."""
    runs = harness.runs.of_transcript(transcript_id)
    return bool(runs) and all(run.erase_at is not None for run in runs)


def is_kept(run: RunRecord, *, may_be_kept: bool) -> bool:
    """Whether a run's places are still needed: it is open, or a person may have it go on."""
    if run.erased_at is not None or run.state not in ENDS:
        return True
    if run.erase_at is not None or not may_be_kept:
        return False
    if run.state == RunState.FAILED:
        return run.is_reopenable or run.workflow_id is not None
    return run.state == RunState.COMPARED


def has_places(run: RunRecord) -> bool:
    """Whether anything was ever copied for it: a run that was skipped at once has nothing."""
    was_copied = bool(run.inputs) and run.state != RunState.SKIPPED
    return was_copied or run.waiting_since is not None or run.workflow_id is not None


def _erased(shadow: Shadow, run: RunRecord) -> int:
    """1 if nothing of it is left; from the first change on it cannot be opened again."""
    at = shadow.now()
    marked = run
    if run.erase_at is None:
        found = shadow.runs.move(run, run.state, erase_at=at)
        if found is None:
            return 0
        marked = found
    try:
        if has_places(run):
            if _stop_workflow(shadow.harness, run):
                return 0  # a step may still be at work: its files are erased the next time
            erase_run(shadow.harness, run.run_id)
        _forget(shadow.harness, run)
    except MigrateError as error:
        log.warning("run %s: not erased yet: %s", run.run_id, error.in_full)
        return 0
    log.info("run %s: erased", run.run_id)
    return 1 if shadow.runs.move(marked, marked.state, erased_at=shadow.now()) else 0


def _forget(harness: Harness, run: RunRecord) -> None:
    """Erase what store and server have of the run's words; its counts and verdict stay."""
    from reflector_migrate.conductor.execution import remove
    from reflector_migrate.store.words import forget_words
    from reports.redact import hide

    if is_erased(harness, run.transcript_id):
        harness.spans.forget_bodies(run.transcript_id)
    forget_words(harness.settings.store_url, run.run_id, hide)
    if run.workflow_id is not None:
        remove(harness, run.workflow_id)


def _stop_workflow(harness: Harness, run: RunRecord) -> bool:
    """Stop its workflow if it still runs; whether it did."""
    from reflector_migrate.conductor.execution import read, terminate

    if run.workflow_id is None or read(harness, run.workflow_id).status != "running":
        return False
    terminate(harness, run.workflow_id, "migrate: the run has ended and is erased")
    return True


def _may_not_be_kept(settings: Settings, transcripts: Sequence[str]) -> frozenset[str]:
    from reflector_migrate.pipeline.rows import Rows

    if not transcripts or settings.reflector.database_url is None:
        return frozenset()
    if settings.is_sandbox and settings.sandbox.keeps_refused:
        return frozenset()  # nobody spoke in a synthetic recording
    rows = Rows.at(settings.reflector.database_url)
    return rows.may_not_be_kept(sorted(set(transcripts)))


def erase_run(harness: Harness, run_id: str) -> None:
    """Delete its objects, its rows and its folder on this host; what is gone already stays gone.

    Sound goes first. Raises RefusedError where the candidate's database lacks our mark, and
    before anything is deleted; OutageError or TransientStepError when a server does not answer,
    and may then be called again.
    """
    from reflector_migrate.pipeline.places import candidate_url, place_of_run
    from reflector_migrate.pipeline.rows import Rows, drop_run_tables, require_mark
    from reflector_migrate.pipeline.rows.transactions import reading
    from reflector_migrate.shadow.snapshot import require_separate

    require_separate(harness.settings)
    url = candidate_url(harness.settings)
    with reading(Rows.at(url).engine) as connection:
        require_mark(connection)
    place = place_of_run(harness.settings, run_id)
    erase_objects(harness, run_id)
    if place.data_dir.is_dir():
        shutil.rmtree(place.data_dir)
    drop_run_tables(url, run_id)


def erase_objects(harness: Harness, run_id: str) -> None:
    """Delete a run's tracks and media from the candidate's buckets."""
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.places import place_of_run
    from reflector_migrate.pipeline.services.storage import Storage, address

    place = place_of_run(harness.settings, run_id)
    mine = frozenset({place.tracks_bucket, place.media_bucket})
    storage = Storage(harness.connections.s3, UsageMeter(), mine)
    for bucket in sorted(mine):
        for found in storage.list(address(bucket, "")):
            storage.delete(found.address)

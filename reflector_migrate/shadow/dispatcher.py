"""Starts the candidate's workflow exactly once for each of the primary's runs.

Nothing here is in the primary's path. Whatever fails is written to the register
of dispatches with its reason: it is missing evidence, never a match.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta

from reflector_migrate.errors import MigrateError, ServerUnreachableError
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.routing import Decision, decide
from reflector_migrate.shadow.snapshot import Snapshot, read_rows, take_snapshot
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import Dispatches, RunRecord, Runs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """outcome: started, waiting (try again later), skipped, duplicate or failed."""

    outcome: str
    run_id: str | None = None
    reason: str = ""


def dispatch(settings: Settings, announcement: Announcement) -> Dispatched:
    """Decide, claim, copy the inputs and start the workflow; safe to call twice."""
    try:
        done = _dispatch(settings, announcement)
    except MigrateError as error:
        done = _after(error, settings, announcement)
    if done.outcome != "waiting":
        recording = _recording_id(settings, announcement)
        Dispatches(settings.store_url).add(
            recording, done.outcome, run_id=done.run_id, reason=done.reason
        )
    log.info("dispatch %s: %s %s", announcement.transcript_id, done.outcome, done.reason)
    return done


def _after(error: MigrateError, settings: Settings, announcement: Announcement) -> Dispatched:
    """Failed; but a server that does not answer is waited for, within a bound."""
    runs, run_id = Runs(settings.store_url), _run_id(announcement)
    known = runs.by_id(run_id)
    bound = timedelta(seconds=settings.shadow.dispatch_wait_s)
    if isinstance(error, ServerUnreachableError) and known and now() - known.created_at < bound:
        return Dispatched("waiting", run_id, error.message)
    runs.update(run_id, "failed", reason=error.message)
    return Dispatched("failed", run_id, error.message)


def _recording_id(settings: Settings, announcement: Announcement) -> str:
    """By the register or the primary's row; the transcript's id where neither knows."""
    known = Runs(settings.store_url).by_id(_run_id(announcement))
    if known is not None:
        return known.recording_id
    try:
        return read_rows(settings, announcement.transcript_id, ()).recording_id
    except MigrateError:
        return announcement.recording_id or announcement.transcript_id


def _dispatch(settings: Settings, announcement: Announcement) -> Dispatched:
    runs = Runs(settings.store_url)
    run_id = _run_id(announcement)
    known = runs.by_id(run_id)
    if known is not None and known.state not in ("claimed", "snapshotted"):
        return Dispatched("duplicate", run_id, f"run is {known.state}")
    rows = read_rows(settings, announcement.transcript_id, announcement.track_keys)
    decision = _decide(settings, runs, rows)
    if decision.outcome == "skip":
        return Dispatched("skipped", run_id, decision.reason)
    runs.claim(_record(settings, announcement, rows.recording_id))
    if known is None or known.state == "claimed":
        rows = take_snapshot(settings, announcement, rows, run_id)
        runs.update(run_id, "snapshotted")
    if decision.outcome == "wait":
        return Dispatched("waiting", run_id, decision.reason)
    runs.update(run_id, "started", workflow_id=_start(settings, run_id, rows))
    return Dispatched("started", run_id)


def _run_id(announcement: Announcement) -> str:
    """One run per execution of the primary's task and build of ours."""
    from reflector_migrate.conductor.build import build_hash

    name = f"{announcement.transcript_id}:{announcement.task_id}:{build_hash()}"
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def _decide(settings: Settings, runs: Runs, rows: Snapshot) -> Decision:
    kill_switch = settings.shadow.kill_switch_file
    return decide(
        settings.shadow,
        rows.recording_id,
        rows.room_name,
        in_flight=runs.count_started(),
        is_killed=kill_switch is not None and kill_switch.exists(),
    )


def _record(settings: Settings, announcement: Announcement, recording_id: str) -> RunRecord:
    from reflector_migrate.conductor.build import build_hash

    return RunRecord(
        run_id=_run_id(announcement),
        claim=f"{announcement.transcript_id}:{announcement.task_id}:{build_hash()}",
        recording_id=recording_id,
        transcript_id=announcement.transcript_id,
        namespace=settings.candidate.namespace,
        build=build_hash(),
        primary_task_id=announcement.task_id,
        request=announcement.model_dump(mode="json"),
    )


def _start(settings: Settings, run_id: str, snapshot: Snapshot) -> str:
    from reflector_migrate.conductor.start import start_workflow
    from reflector_migrate.pipeline.contracts import Run, Track
    from reflector_migrate.pipeline.places import place_of_run

    run = Run(
        run_id=run_id,
        recording_id=snapshot.recording_id,
        transcript_id=snapshot.transcript_id,
        namespace="shadow",
        bucket_name=place_of_run(settings, run_id).tracks_bucket,
        room_id=snapshot.room_id,
    )
    tracks = [Track(track_index=i, s3_key=key) for i, key in enumerate(snapshot.track_keys)]
    return start_workflow(settings, run, tracks)

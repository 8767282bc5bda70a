"""Starts the candidate's workflow exactly once for each of the primary's runs.

Nothing here is in the primary's path. Each function moves a run that its caller has leased
one state on, and returns at once when another was faster.
"""

from __future__ import annotations

import logging
from typing import Any

from reflector_migrate.model.run_life import RunState
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.announcement import Announcement, parse
from reflector_migrate.shadow.decision import WATCH_S
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.shadow.routing import why_skipped
from reflector_migrate.shadow.snapshot import read_rows, take_snapshot
from reflector_migrate.store.runs import Outcome, RunRecord, claim_of, run_id_of

log = logging.getLogger(__name__)


def claim(shadow: Shadow, announcement: Announcement) -> RunRecord | None:
    """Claim a run by transcript and task, before anything is read; None if it is a duplicate."""
    name = claim_of(announcement.transcript_id, announcement.task_id)
    run = RunRecord(
        run_id=run_id_of(name),
        claim=name,
        recording_id=announcement.recording_id or "",
        transcript_id=announcement.transcript_id,
        namespace=shadow.settings.candidate.namespace,
        primary_task_id=announcement.task_id,
        request=announcement.model_dump(mode="json"),
        created_at=shadow.now(),
        updated_at=shadow.now(),
        next_at=shadow.now(),
    )
    if shadow.runs.claim(run):
        return run
    known = shadow.runs.announced_as(run)
    if known is not None:
        shadow.dispatches.add(
            known.recording_id, "duplicate", run_id=known.run_id, reason=f"run is {known.state}"
        )
    return None


def prepare(shadow: Shadow, run: RunRecord) -> None:
    """Read the primary's rows, decide, and copy the inputs; then the run waits for a place."""
    announcement = parse(dict(run.request))
    rows = read_rows(shadow.settings, announcement.transcript_id, announcement.track_keys)
    known: dict[str, Any] = {
        "recording_id": rows.recording_id,
        "inputs": {
            "room_id": rows.room_id,
            "room_name": rows.room_name,
            "track_keys": list(rows.track_keys),
        },
    }
    if run.state == RunState.CLAIMED:
        if reason := _why_skipped(shadow.settings, rows.recording_id, rows.room_name):
            end = Outcome("skipped", reason)
            shadow.runs.move(run, RunState.SKIPPED, outcome=end, **known)
            return
        going_on = shadow.runs.move(run, RunState.SNAPSHOTTING, **known)
        if going_on is None:
            return
        run = going_on
    take_snapshot(shadow.settings, announcement, rows, run.run_id)
    at = shadow.now()
    if waiting := shadow.runs.move(run, RunState.WAITING, until=at, waiting_since=at):
        give_places(shadow)
        shadow.send(waiting, WATCH_S)  # for its primary, until it has a place


def give_places(shadow: Shadow) -> None:
    """Give free places to the oldest waiting runs; what is no longer shadowed is skipped."""

    def admit(run: RunRecord) -> str | None:
        room = str(run.inputs.get("room_name", ""))
        return _why_skipped(shadow.settings, run.recording_id, room)

    for run in shadow.runs.give_places(shadow.settings.shadow.max_in_flight, admit):
        log.info("run %s is %s", run.run_id, run.state)
        if run.state == RunState.STARTING:
            shadow.send(run, 0)


def start(shadow: Shadow, run: RunRecord) -> None:
    """Start the workflow of a run that has a place, unless it was started before."""
    from reflector_migrate.conductor.build import build_hash

    workflow_id = _start(shadow.settings, run)
    at, poll_s = shadow.now(), shadow.settings.shadow.poll_s
    begun = {"workflow_id": workflow_id, "started_at": at, "build": build_hash()}
    started = shadow.runs.move(run, RunState.STARTED, until=at, outcome=Outcome("started"), **begun)
    if started:
        shadow.send(started, poll_s)


def _why_skipped(settings: Settings, recording_id: str, room_name: str) -> str | None:
    switch = settings.shadow.kill_switch_file
    is_killed = switch is not None and switch.exists()
    return why_skipped(settings.shadow, recording_id, room_name, is_killed=is_killed)


def _start(settings: Settings, run: RunRecord) -> str:
    from reflector_migrate.conductor.start import start_workflow
    from reflector_migrate.pipeline.contracts import Run, Track
    from reflector_migrate.pipeline.places import place_of_run

    given = Run(
        run_id=run.run_id,
        recording_id=run.recording_id,
        transcript_id=run.transcript_id,
        namespace="shadow",
        bucket_name=place_of_run(settings, run.run_id).tracks_bucket,
        room_id=run.inputs.get("room_id"),
    )
    keys = enumerate(run.inputs["track_keys"])
    return start_workflow(settings, given, [Track(track_index=i, s3_key=key) for i, key in keys])

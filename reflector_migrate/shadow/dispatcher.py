"""Starts the candidate's workflow exactly once for each of the primary's runs.

Nothing here is in the primary's path. Each function moves a run that its caller has leased
one state on, and returns at once when another was faster.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from reflector_migrate.errors import InputError, MigrateError, RefusedError, TransientStepError
from reflector_migrate.harness import Harness
from reflector_migrate.model.run_life import ENDS, RunState
from reflector_migrate.settings import Settings
from reflector_migrate.shadow import secondary
from reflector_migrate.shadow.announcement import Announcement, parse
from reflector_migrate.shadow.budget import has_budget, why_no_place
from reflector_migrate.shadow.decision import WATCH_S
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.shadow.routing import why_skipped
from reflector_migrate.shadow.snapshot import NOT_YET, read_rows, take_snapshot
from reflector_migrate.store.runs import Outcome, RunRecord, claim_of, run_id_of

if TYPE_CHECKING:
    from reflector_migrate.pipeline.contracts import Run

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
    """Read the primary's rows, decide, and copy the inputs; then the run waits for a place.

    A row that is not there may not have reached the database that is read: TransientStepError.
    """
    announcement, known_for = parse(dict(run.request)), shadow.now() - run.created_at
    try:
        rows = read_rows(shadow.settings, announcement.transcript_id, announcement.track_keys)
    except InputError as error:
        if known_for >= NOT_YET:
            raise
        raise TransientStepError(error.message) from None
    known: dict[str, Any] = {
        "recording_id": rows.recording_id,
        "inputs": {
            "room_id": rows.room_id,
            "room_name": rows.room_name,
            "track_keys": list(rows.track_keys),
        },
    }
    if run.state == RunState.CLAIMED:
        reason = _why_skipped(shadow.settings, run, rows.recording_id, rows.room_name)
        if reason:
            end = Outcome("skipped", reason)
            shadow.runs.move(run, RunState.SKIPPED, outcome=end, **known)
            return
        going_on = shadow.runs.move(run, RunState.SNAPSHOTTING, **known)
        if going_on is None:
            return
        run = going_on
    prior = take_snapshot(shadow.harness, announcement, rows, run.run_id, known_for)
    secondary.begin(shadow.harness, run, announcement, rows, prior)
    at = shadow.now()
    if waiting := shadow.runs.move(run, RunState.WAITING, until=at, waiting_since=at):
        give_places(shadow)
        shadow.send(waiting, WATCH_S)  # for its primary, until it has a place


def give_places(shadow: Shadow) -> None:
    """Give free places to the oldest waiting runs; what is no longer shadowed is skipped.

    Where a day's budget is set, one at a time, and none that would exceed it.
    """

    def admit(run: RunRecord) -> str | None:
        room = str(run.inputs.get("room_name", ""))
        return _why_skipped(shadow.settings, run, run.recording_id, room)

    limit = shadow.settings.shadow.max_in_flight
    if not has_budget(shadow.settings.shadow):
        _begin(shadow, shadow.runs.give_places(limit, admit))
        return
    for _ in range(limit):
        why = why_no_place(shadow.harness, shadow.now())
        if why:
            log.info("no place is given: %s", why)
        free = 0 if why else min(limit, shadow.runs.count_in_flight() + 1)
        changed = shadow.runs.give_places(free, admit)
        _begin(shadow, changed)
        if not any(run.state == RunState.STARTING for run in changed):
            return


def _begin(shadow: Shadow, changed: Sequence[RunRecord]) -> None:
    for run in changed:
        log.info("run %s is %s", run.run_id, run.state)
        if run.state == RunState.STARTING:
            shadow.send(run, 0)


def start(shadow: Shadow, run: RunRecord) -> None:
    """Start the workflow of a run that has a place, unless it was started before.

    The run is leased again right before the server is asked. If it was taken over even so,
    as from a process that stood still in between, one of the two workflows is stopped again.
    """
    from reflector_migrate.conductor.build import build_hash

    held = [run]

    def renew() -> None:
        renewed = shadow.runs.renew(held[0], shadow.settings.shadow.lease_s)
        if renewed is None:
            raise RefusedError(f"run {run.run_id} was taken over before its workflow was started")
        held[0] = renewed

    workflow_id = _start(shadow.harness, run, renew)
    at, poll_s = shadow.now(), shadow.settings.shadow.poll_s
    begun = {"workflow_id": workflow_id, "started_at": at, "build": build_hash()}
    started = shadow.runs.move(
        held[0], RunState.STARTED, until=at, outcome=Outcome("started"), **begun
    )
    if started:
        shadow.send(started, poll_s)
        stop_strays(shadow.harness, started)
    else:
        _give_up(shadow, run, workflow_id)


def stop_strays(harness: Harness, run: RunRecord) -> None:
    """Stop every workflow of the run but its own; a server that is away is asked again later."""
    from reflector_migrate.conductor.start import stop_others

    try:
        stop_others(harness, _as_given(harness.settings, run), run.workflow_id or "")
    except MigrateError as error:
        log.warning("run %s: strays not looked for: %s", run.run_id, error.in_full)


def _give_up(shadow: Shadow, run: RunRecord, workflow_id: str) -> None:
    """Stop a workflow whose run was taken over while it was being started.

    Not while the run has none yet: the process that starts it then finds this one, or stops it.
    """
    from reflector_migrate.conductor.execution import terminate
    from reflector_migrate.conductor.start import STRAY

    known = shadow.runs.by_id(run.run_id)
    if known is None or known.workflow_id == workflow_id:
        return
    if known.workflow_id is not None or known.state in ENDS:
        log.warning("run %s is %s: workflow %s stopped", run.run_id, known.state, workflow_id)
        terminate(shadow.harness, workflow_id, STRAY)


def _why_skipped(
    settings: Settings, run: RunRecord, recording_id: str, room_name: str
) -> str | None:
    """A recording that a person chose is left out by anything but the sample."""
    switch = settings.shadow.kill_switch_file
    is_killed = switch is not None and switch.exists()
    bounds = settings.shadow
    if run.request.get("is_chosen"):
        bounds = bounds.model_copy(update={"rate": 1.0})
    return why_skipped(bounds, recording_id, room_name, is_killed=is_killed)


def _start(harness: Harness, run: RunRecord, before_start: Callable[[], None]) -> str:
    from reflector_migrate.conductor.start import start_workflow
    from reflector_migrate.pipeline.contracts import Track

    keys = enumerate(run.inputs["track_keys"])
    tracks = [Track(track_index=i, s3_key=key) for i, key in keys]
    return start_workflow(harness, _as_given(harness.settings, run), tracks, before_start)


def _as_given(settings: Settings, run: RunRecord) -> Run:
    """The run as its workflow is given it."""
    from reflector_migrate.pipeline.contracts import Run
    from reflector_migrate.pipeline.places import place_of_run

    return Run(
        run_id=run.run_id,
        recording_id=run.recording_id,
        transcript_id=run.transcript_id,
        namespace="shadow",
        bucket_name=place_of_run(settings, run.run_id).tracks_bucket,
        room_id=run.inputs.get("room_id"),
    )

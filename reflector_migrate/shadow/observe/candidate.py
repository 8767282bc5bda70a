"""The candidate's account: its rows and objects, its recorded effects, its workflow's execution."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from reflector_migrate.harness import Harness
from reflector_migrate.model import (
    UNREADABLE,
    Effect,
    Engine,
    Observation,
    Role,
    StepRun,
)
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.settings import Settings
from reflector_migrate.store.runs import RunRecord

if TYPE_CHECKING:
    from reflector_migrate.conductor.execution import Execution


def observe_candidate(harness: Harness, run: RunRecord) -> Observation:
    """The candidate's account, its workflow's execution read from the server.

    A workflow that is still at work after `shadow.timeout_s`, which is longer than its own
    limit, has timed out. One that a person terminated could not run, which says nothing
    about the candidate.
    """
    from reflector_migrate.conductor.execution import read

    execution = read(harness, run.workflow_id or "")
    seen = account_of_candidate(harness, run, execution)
    if execution.status == "running":
        why = f"still at work after shadow.timeout_s = {harness.settings.shadow.timeout_s:.0f} s"
        return seen.model_copy(update={"status": "timed_out", "error": why})
    if execution.was_terminated and not execution.has_finalized:
        why = f"could not run: terminated by a person: {execution.reason or 'no reason given'}"
        return seen.model_copy(
            update={"status": "missing", "error": why, "notes": (*seen.notes, f"candidate: {why}")}
        )
    return seen


def account_of_candidate(harness: Harness, run: RunRecord, execution: Execution) -> Observation:
    """Its own rows and objects, recorded effects, and the execution as given."""
    from reflector_migrate.shadow.observe.derived import with_derived
    from reflector_migrate.shadow.observe.reader import candidate_of, observe

    effects = harness.effects.of(run.run_id)
    place = candidate_of(harness.settings, run.run_id)
    seen = observe(
        harness,
        place,
        run.recording_id,
        role=Role.CANDIDATE,
        engine=Engine.CONDUCTOR,
        run_id=run.run_id,
    )
    if (seen.error or "").startswith(UNREADABLE):
        return seen.model_copy(update={"build": run.build, "steps": execution.step_runs})
    deleted = {effect.key for effect in effects if effect.kind == "s3_delete"}
    stored = tuple(e for e in seen.effects if e.kind != "s3_put" or e.key not in deleted)
    looked_at = deleted | {effect.key for effect in stored if effect.kind == "s3_put"}
    recorded = _in_primary_terms(harness.settings, place.tracks_bucket, effects, looked_at)
    account = seen.model_copy(
        update={
            "build": run.build,
            "steps": execution.step_runs,
            "effects": (*stored, *recorded),
            "status": _status(execution.status, seen.status),
            "error": execution.reason,
            "notes": (*seen.notes, *_failed_for_good(execution.step_runs)),
            "started": _first(execution.step_runs),
            "ended": _last(execution.step_runs),
        }
    )
    return with_derived(account)


def _in_primary_terms(
    settings: Settings, bucket: str, effects: Sequence[Effect], looked_at: Collection[str]
) -> Iterator[Effect]:
    """Recorded effects, with the run's copy of the tracks' bucket called by its real name.

    Objects are read from the bucket itself; one elsewhere is known by its record.
    """
    unseen = [e for e in effects if e.kind != "s3_put" or e.key not in looked_at]
    return renamed(unseen, bucket, settings.reflector.tracks_bucket)


def renamed(effects: Sequence[Effect], mine: str, theirs: str) -> Iterator[Effect]:
    """Effects on the tracks' bucket `mine` as if they had been on `theirs`."""
    for effect in effects:
        is_moved = effect.payload.get("bucket") == mine
        moved = {"payload": {**effect.payload, "bucket": theirs}} if is_moved else {}
        yield effect.model_copy(update=moved)


def _status(execution: str, row: str) -> str:
    """The row's own status, unless the engine knows worse."""
    return row if execution == "completed" else execution


def _failed_for_good(steps: Sequence[StepRun]) -> Iterator[str]:
    """One note for each step whose last attempt failed: an optional one fails no workflow."""
    last = {(step.name, step.track_index): step for step in steps}
    for step in last.values():
        if step.status in ("failed", "timed_out"):
            yield f"candidate: {step.name} {step.status}: {step.error or 'no reason given'}"


def _first(steps: Sequence[StepRun]) -> datetime | None:
    return min((at for s in steps if (at := s.queued or s.started)), default=None)


def _last(steps: Sequence[StepRun]) -> datetime | None:
    return max((s.ended for s in steps if s.ended), default=None)


def run_of(settings: Settings, run: RunRecord) -> Run:
    """The run as its steps know it."""
    return Run.model_validate(
        {
            "run_id": run.run_id,
            "recording_id": run.recording_id,
            "transcript_id": run.transcript_id,
            "namespace": run.namespace,
            "bucket_name": place_of_run(settings, run.run_id).tracks_bucket,
            "workflow_id": run.workflow_id,
        }
    )

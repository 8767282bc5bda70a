"""What the collector does to a run that needs help: each action is safe to repeat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reflector_migrate.conductor.watchdog import Repair, apply_repair, publish_progress
from reflector_migrate.harness import Harness
from reflector_migrate.model import Role
from reflector_migrate.shadow.observe.run_view import CandidateView, resumed_key
from reflector_migrate.shadow.observe.sides import ENDED
from reflector_migrate.shadow.recover.orphaned_failure import say_error
from reflector_migrate.store.runs import RunRecord


@dataclass(frozen=True, slots=True)
class NoteEnd:
    """Record when a side's row was first seen to have ended."""

    role: Role


@dataclass(frozen=True, slots=True)
class PublishProgress:
    """Publish the steps' states that listeners do not know yet."""

    candidate: CandidateView


@dataclass(frozen=True, slots=True)
class RepairWorkflow:
    """Resume a workflow that a JOIN cut short, or wake the server up for it."""

    candidate: CandidateView
    repair: Repair


@dataclass(frozen=True, slots=True)
class SayError:
    """Set the transcript's status `error`, unless the run was retried after `again_at`."""

    again_at: datetime | None


Heal = NoteEnd | PublishProgress | RepairWorkflow | SayError


def apply(harness: Harness, run: RunRecord, action: Heal) -> None:
    """Do it. Raises MigrateError."""
    events = harness.events
    match action:
        case NoteEnd(role):
            name = ENDED.format(role.value)
            events.record(run.run_id, name, "harness", {"event": name, "data": {}})
        case PublishProgress(candidate):
            if candidate.workflow is not None:
                publish_progress(harness, candidate.workflow, candidate.execution)
        case RepairWorkflow(candidate, repair):
            if candidate.workflow is None:
                return
            apply_repair(harness, candidate.workflow, repair)
            if repair is Repair.RESUME:
                key = resumed_key(candidate.workflow)
                events.record(run.run_id, key, "harness", {"event": key, "data": {}})
        case SayError(again_at):
            say_error(harness, run, again_at)

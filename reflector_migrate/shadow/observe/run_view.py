"""All that is looked at before a run is decided on: read once, and only read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from reflector_migrate.conductor.execution import Execution, execution_of
from reflector_migrate.conductor.watchdog import read_workflow
from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Role
from reflector_migrate.model.run_life import RunState
from reflector_migrate.shadow.observe.failure import FailureView, failure_view
from reflector_migrate.shadow.observe.sides import LegacyView, legacy_view, secondary_of
from reflector_migrate.store.runs import RunRecord

if TYPE_CHECKING:
    from reflector_migrate.shadow.observe.sides import Secondary

T = TypeVar("T")

RESUMED = "harness:resumed:"
"""How the key begins of the event that says which premature end was resumed."""


@dataclass(frozen=True, slots=True)
class CandidateView:
    """The workflow as the server has it; without one it is missing."""

    execution: Execution
    workflow: Mapping[str, Any] | None = None
    failure: FailureView | None = None
    was_resumed: bool = False


@dataclass(frozen=True, slots=True)
class RunView:
    """A run and both sides. A side is None where it was not looked at or could not be read.

    `go` counts how often the run was retried manually, `again_at` is the last time; `kept`
    has the last stored go of each side. `later_run` is the next run of the same transcript.
    `trouble` is the first error met while looking.
    """

    run: RunRecord
    primary: LegacyView | None = None
    secondary: LegacyView | None = None
    has_secondary: bool = False
    candidate: CandidateView | None = None
    kept: Mapping[Role, int] | None = None
    go: int = 0
    again_at: datetime | None = None
    later_run: str | None = None
    trouble: MigrateError | None = None

    def is_kept(self, role: Role) -> bool:
        """Whether a side's account is stored: the candidate's, of the present go."""
        stored = (self.kept or {}).get(role)
        return stored is not None and (role is not Role.CANDIDATE or stored == self.go)


def run_view(harness: Harness, run: RunRecord) -> RunView:
    """Look at what the run's state asks for. Raises MigrateError if our own store is away."""
    events = harness.events
    go = events.times_again(run.run_id)  # first: what is seen of a later go counts for none
    kept = harness.evidence.kept(run.run_id)
    later = harness.runs.next_of(run)
    troubles: list[MigrateError] = []
    primary = candidate = secondary = None
    second: Secondary | None = None
    if Role.PRIMARY not in kept:
        primary = _tried(troubles, lambda: legacy_view(harness, run))
    if Role.SECONDARY not in kept:
        second = _tried(troubles, lambda: secondary_of(harness, run))
    if second is not None:
        beside = second
        secondary = _tried(
            troubles, lambda: legacy_view(beside.harness, beside.run, Role.SECONDARY)
        )
    if run.state == RunState.STARTED:
        candidate = _tried(troubles, lambda: candidate_view(harness, run))
    return RunView(
        run=run,
        primary=primary,
        secondary=secondary,
        has_secondary=second is not None,
        candidate=candidate,
        kept=kept,
        go=go,
        again_at=events.last_again(run.run_id),
        later_run=later.run_id if later else None,
        trouble=troubles[0] if troubles else None,
    )


def candidate_view(harness: Harness, run: RunRecord) -> CandidateView:
    """The workflow, and what of its failure was published. Raises MigrateError."""
    workflow = read_workflow(harness, run.workflow_id or "")
    if workflow is None:
        return CandidateView(Execution(run.workflow_id or "", "missing"))
    execution = execution_of(workflow)
    key = resumed_key(workflow)
    return CandidateView(
        execution,
        workflow,
        failure_view(harness, run, execution),
        was_resumed=bool(harness.events.of(run.run_id, family=key)),
    )


def resumed_key(workflow: Mapping[str, Any]) -> str:
    """The key of the event that says that this very end was resumed."""
    return f"{RESUMED}{workflow.get('endTime') or 0}"


def _tried(troubles: list[MigrateError], look: Callable[[], T]) -> T | None:
    try:
        return look()
    except MigrateError as error:
        troubles.append(error)
        return None

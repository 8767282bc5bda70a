"""What to do about a run, given what was seen of it: a pure decision, tabled in its test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from reflector_migrate.conductor.premature_failure import is_cut_short
from reflector_migrate.conductor.watchdog import Repair, is_left_alone, repairs_due
from reflector_migrate.errors import MigrateError
from reflector_migrate.model import Role
from reflector_migrate.model.run_life import RunState
from reflector_migrate.settings import Settings, ShadowSettings
from reflector_migrate.shadow.observe.failure import Outlook, outlook
from reflector_migrate.shadow.observe.run_view import CandidateView, RunView
from reflector_migrate.shadow.recover.heal import (
    Heal,
    NoteEnd,
    PublishProgress,
    RepairWorkflow,
    SayError,
)
from reflector_migrate.store.runs import RunRecord

ASKED_WITHIN_S = 60.0
"""How long after a manual retry was marked its server may still be asked for it."""

WATCH_S = 15.0
"""How often the primary of a run that waits for a place is looked at."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at `until`."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Postpone:
    """Something could not be read: look again after a growing pause."""

    trouble: MigrateError


@dataclass(frozen=True, slots=True)
class Observe:
    """Read and store a side's account, then look again."""

    role: Role


@dataclass(frozen=True, slots=True)
class Settle:
    """Free the place: the workflow has ended, or had its time."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Every side is stored."""


@dataclass(frozen=True, slots=True)
class End:
    """End the run without a comparison."""

    state: RunState
    reason: str


Then = Wait | Postpone | Observe | Settle | Judge | End


@dataclass(frozen=True, slots=True)
class Decision:
    """What to repair, in order, and what to do then."""

    heals: tuple[Heal, ...]
    then: Then


def decide(view: RunView, now: datetime, settings: Settings) -> Decision:
    """Decide on a run that waits, runs or settles."""
    heals = tuple(_heals(view, now, settings.conductor.time_scale))
    return Decision(heals, _then(view, now, settings.shadow))


def _then(view: RunView, now: datetime, shadow: ShadowSettings) -> Then:
    """By the first rule that has an answer."""
    is_late = has_had_its_time(view.run, view.again_at, now, shadow)
    answers = (
        _superseded(view),
        _legacy(view, now, is_late=is_late),
        _waiting(view, now, shadow),
        _started(view, now, is_late=is_late),
        _candidate(view),
        _troubled(view),
        _whole(view),
    )
    until = now + timedelta(seconds=shadow.poll_s)
    return next((then for then in answers if then is not None), Wait(until))


def _superseded(view: RunView) -> Then | None:
    if view.later_run is None or view.is_kept(Role.PRIMARY):
        return None
    why = f"the primary ran again (run {view.later_run}) before its result was stored"
    return End(RunState.SUPERSEDED, why)


def _legacy(view: RunView, now: datetime, *, is_late: bool) -> Then | None:
    """Each legacy side as soon as it is over; as it is, when its time is over."""
    must_end = is_late and view.run.state == RunState.SETTLING
    for role, side in ((Role.PRIMARY, view.primary), (Role.SECONDARY, view.secondary)):
        if side is not None and not view.is_kept(role) and (must_end or side.is_over(now)):
            return Observe(role)
    return None


def _waiting(view: RunView, now: datetime, shadow: ShadowSettings) -> Then | None:
    if view.run.state != RunState.WAITING:
        return None
    since = view.run.waiting_since or view.run.created_at
    if now - since >= timedelta(seconds=shadow.place_wait_s):
        why = f"no place in flight within shadow.place_wait_s = {shadow.place_wait_s:.0f} s"
        return End(RunState.FAILED, why)
    return Wait(now + timedelta(seconds=max(WATCH_S, shadow.poll_s)))


def _started(view: RunView, now: datetime, *, is_late: bool) -> Then | None:
    if view.run.state != RunState.STARTED:
        return None
    return Settle() if is_late or _has_candidate_ended(view, now) else None


def _candidate(view: RunView) -> Then | None:
    is_due = view.run.state == RunState.SETTLING and not view.is_kept(Role.CANDIDATE)
    return Observe(Role.CANDIDATE) if is_due else None


def _troubled(view: RunView) -> Then | None:
    return None if view.trouble is None else Postpone(view.trouble)


def _whole(view: RunView) -> Then | None:
    is_whole = view.is_kept(Role.PRIMARY) and not view.has_secondary
    return Judge() if view.run.state == RunState.SETTLING and is_whole else None


def has_had_its_time(
    run: RunRecord, again_at: datetime | None, now: datetime, shadow: ShadowSettings
) -> bool:
    """Whether it ran for `timeout_s` since its workflow was started, or last retried manually."""
    if run.started_at is None:
        return False
    begun = max(run.started_at, again_at or run.started_at)
    return now - begun >= timedelta(seconds=shadow.timeout_s)


def _has_candidate_ended(view: RunView, now: datetime) -> bool:
    """Whether the workflow can no longer change by itself, nor by a retry that was just asked."""
    if view.candidate is None or _is_running(view.candidate, now):
        return False
    asked = view.again_at
    return asked is None or now - asked >= timedelta(seconds=ASKED_WITHIN_S)


def _is_running(candidate: CandidateView, now: datetime) -> bool:
    workflow = candidate.workflow
    if workflow is None:
        return False
    if candidate.execution.status == "running" or is_left_alone(workflow, now.timestamp()):
        return True
    is_resumed = is_cut_short(workflow) and not candidate.was_resumed
    return is_resumed or outlook(candidate.failure, now) is Outlook.COMING


def _heals(view: RunView, now: datetime, time_scale: float) -> Iterator[Heal]:
    for role, side in ((Role.PRIMARY, view.primary), (Role.SECONDARY, view.secondary)):
        if side is not None and side.has_ended and side.ended_at is None:
            yield NoteEnd(role)
    candidate = view.candidate
    if candidate is None or candidate.workflow is None:
        return
    for repair in repairs_due(candidate.workflow, now.timestamp(), time_scale):
        if repair is not Repair.RESUME or not candidate.was_resumed:
            yield RepairWorkflow(candidate, repair)
    is_open = _is_running(candidate, now)
    if candidate.execution.status == "running" or not is_open:
        yield PublishProgress(candidate)
    if not is_open and outlook(candidate.failure, now) is Outlook.OURS:
        yield SayError(candidate.failure.again_at if candidate.failure else None)

"""Observes both sides of a run, each as soon as it is over, and judges what is stored of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.noise import stratum_of
from reflector_migrate.model import Comparison, Observation, Role
from reflector_migrate.model.run_life import RunState
from reflector_migrate.shadow import dispatcher
from reflector_migrate.shadow.decision import (
    End,
    Judge,
    Observe,
    Postpone,
    Settle,
    Wait,
    decide,
)
from reflector_migrate.shadow.nightly.gating import note_rules
from reflector_migrate.shadow.noise_floors import (
    beside_candidate,
    conditions,
    evidence_key,
    floors_of_stored,
    is_repeatable,
    pair_of,
    plugin_key,
)
from reflector_migrate.shadow.observe import attempts
from reflector_migrate.shadow.observe.candidate import observe_candidate
from reflector_migrate.shadow.observe.run_view import run_view
from reflector_migrate.shadow.observe.sides import observe_primary, secondary_of, spans_of
from reflector_migrate.shadow.observe.timings import pipeline_run_s
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.shadow.recover.heal import apply
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import Outcome, RunRecord

log = logging.getLogger(__name__)

BY_FLOOR = ("excess-p99+margin", "aa-p99+margin", "own-secondary", "no-floor", "floor-too-wide")
LOOKS = 6
"""At most so many in a row: each side observed, settled, judged."""


def look(shadow: Shadow, run: RunRecord) -> None:
    """Look at a run and do what is due, until it has to be waited for or is over."""
    current: RunRecord | None = run
    for _ in range(LOOKS):
        if current is None or current.state not in (
            RunState.WAITING,
            RunState.STARTED,
            RunState.SETTLING,
        ):
            return
        current = _step(shadow, current)
    if current is not None:
        _hand_on(shadow, current, shadow.now())


def _step(shadow: Shadow, run: RunRecord) -> RunRecord | None:
    """One look: the run as it is then, None if it is no longer this caller's."""
    settings = shadow.settings
    view = run_view(shadow.harness, run)
    decision = decide(view, shadow.now(), settings)
    for action in decision.heals:
        apply(shadow.harness, run, action)
    match decision.then:
        case Wait(until):
            _hand_on(shadow, run, until)
            return None
        case Postpone(trouble):
            raise trouble
        case Observe(role):
            shadow.evidence.keep(_observed(shadow.harness, run, role), view.go)
            return run
        case Settle():
            settling = shadow.runs.move(run, RunState.SETTLING)
            dispatcher.give_places(shadow)
            dispatcher.stop_strays(shadow.harness, run)
            return settling
        case Judge():
            observed = shadow.runs.move(run, RunState.OBSERVED)
            if observed:
                judge(shadow, observed)
            return None
        case End(state, reason):
            shadow.runs.move(
                run, state, outcome=Outcome(state, reason), is_reopenable=state == RunState.FAILED
            )
            dispatcher.give_places(shadow)
            return None


def _hand_on(shadow: Shadow, run: RunRecord, until: datetime) -> None:
    if handed := shadow.runs.move(
        run, run.state, until=until, tries=0, failing_since=None, reason=None
    ):
        shadow.send(handed, max(0.0, (until - shadow.now()).total_seconds()))


def _observed(harness: Harness, run: RunRecord, role: Role) -> Observation:
    """A side's account. Raises MigrateError where it cannot be read."""
    if role is Role.PRIMARY:
        return observe_primary(harness, run)
    if role is Role.SECONDARY:
        second = secondary_of(harness, run)
        if second is None:
            raise MigrateError(f"run {run.run_id}: its secondary is no longer there")
        return second.observe()
    seen = observe_candidate(harness, run)
    attempts.keep(harness, run.run_id, seen.steps)
    return seen


def judge(shadow: Shadow, run: RunRecord) -> None:
    """Judge the stored observations; whatever fails here can be done again."""
    seen = {role: shadow.evidence.observation(run.run_id, role) for role in Role}
    primary, candidate = seen.get(Role.PRIMARY), seen.get(Role.CANDIDATE)
    if primary is None or candidate is None:
        raise MigrateError(f"run {run.run_id} is observed, but a side of it is not stored")
    store_comparison(shadow.harness, run, primary, candidate, _second(shadow, run, seen))


@dataclass(frozen=True, slots=True)
class Second:
    """The secondary's account, and which of the two legacy runs was queued first."""

    observation: Observation
    came_first: Role


def _second(shadow: Shadow, run: RunRecord, seen: dict[Role, Any]) -> Second | None:
    observation = seen.get(Role.SECONDARY)
    if observation is None:
        return None
    beside = secondary_of(shadow.harness, run)
    return Second(observation, beside.came_first if beside else Role.PRIMARY)


def store_comparison(
    harness: Harness,
    run: RunRecord,
    primary: Observation,
    candidate: Observation,
    second: Second | None = None,
) -> bool:
    """Judge the observations and keep them with the verdict, all or nothing: the run is compared.

    False if nothing was kept: the run has moved on since it was read, or was compared before.
    """
    from reflector_migrate.judge.compare import judge
    from reflector_migrate.pricing import priced
    from reflector_migrate.shadow.waiver_files import waivers_in_force

    at, secondary = now(), second.observation if second else None
    evidence, told = harness.evidence, conditions(harness.settings, primary, candidate)
    stored = floors_of_stored(harness, told, run.run_id, candidate.build)
    judged = judge(
        primary,
        candidate,
        secondary=secondary,
        earlier=evidence.earlier_candidate(candidate),
        floors=stored.floors,
        waivers=waivers_in_force(harness.settings.judge.waivers_file),
        today=at.date(),
        compared_at=at,
        is_repeatable=is_repeatable(told),
    )
    comparison = judged.comparison
    spans = spans_of(harness, run)
    known = {
        "run_id": run.run_id,
        "recording": run.recording_id,
        **evidence_key(harness.settings, run, told),
        **plugin_key(spans),
        "primary_run_s": pipeline_run_s(spans),
    }
    stratum, is_replayed = stratum_of(primary), bool(told["standins"].get("replayed"))
    why = stored.note(run.recording_id, stratum)
    notes = (*comparison.notes, *_notes(second, why, comparison, is_replayed=is_replayed))
    notes += _supersedes(evidence.first(run.run_id))
    comparison = priced(comparison, harness.settings.prices).model_copy(
        update={**known, "notes": notes}
    )
    pair, sides = None, [primary, candidate]
    if second is not None and secondary is not None:
        between = judged.repeats.between_legacy
        pair = pair_of(primary, secondary, run, told, second.came_first, between)
        if pair and candidate.status == "completed" and not known["defects"]:
            pair = beside_candidate(pair, judged, candidate)
        sides.append(secondary)
    note_rules(harness, candidate.build)
    is_kept = evidence.add(sides, comparison, at.date().isoformat(), pair, closing=run)
    log.info("run %s: %s%s", run.run_id, comparison.verdict, "" if is_kept else ", not kept")
    return is_kept


def _supersedes(first: Comparison | None) -> tuple[str, ...]:
    """A manual retry or rerun is compared again; what its night says stays as it was."""
    if first is None:
        return ()
    on = f" of {first.compared_at:%Y-%m-%d %H:%M} UTC" if first.compared_at else ""
    return (f"run again manually: its night keeps the first verdict{on}, {first.verdict}",)


def _notes(
    second: Second | None, floor: str, comparison: Comparison, *, is_replayed: bool
) -> Iterator[str]:
    """What a verdict that rests on noise rests on, and in which order legacy ran twice."""
    if any(check.rule in BY_FLOOR for check in comparison.checks):
        yield floor
    if is_replayed:
        yield "recogniser and language model answered both sides from one recorded run"
    if second is not None:
        yield f"legacy ran twice, in random order ({second.came_first.value} first)"

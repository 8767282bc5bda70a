"""Waits for both sides to end, observes each, compares, judges and stores the result."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from reflector_migrate.errors import MigrateError
from reflector_migrate.judge.noise import stratum_of
from reflector_migrate.model import Comparison, Observation, Role
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.noise_floors import (
    conditions,
    floors_of_stored,
    is_repeatable,
    pair_of,
)
from reflector_migrate.shadow.observe.attempts import keep
from reflector_migrate.shadow.observe.candidate import observe_candidate
from reflector_migrate.shadow.observe.quiescence import is_settled, patience_s
from reflector_migrate.shadow.observe.sides import (
    Secondary,
    Sides,
    legacy_status,
    observe_primary,
    secondary_of,
    spans_of,
)
from reflector_migrate.store.clock import now
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Dispatches, RunRecord, Runs

log = logging.getLogger(__name__)

ASKED_WITHIN_S = 60.0
"""How long after a retry or rerun by hand was marked its server may still be asked for it."""

ENDED = "harness:{}-ended"
BY_FLOOR = ("aa-p99+margin", "own-secondary", "no-floor", "floor-too-wide")


def collect(settings: Settings, run_id: str) -> bool:
    """True once the run needs no further look: compared, or failed with a reason."""
    runs = Runs(settings.store_url)
    run = runs.by_id(run_id)
    if run is None or run.state != "started":
        return True
    try:
        return _collect(settings, runs, run)
    except MigrateError as error:
        if not is_late(settings, run):
            log.warning("run %s cannot be collected yet: %s", run_id, error.message)
            return False
        if not runs.move_on(run, "failed", reason=error.message):
            return False
        Dispatches(settings.store_url).add(
            run.recording_id, "failed", run_id=run_id, reason=error.message
        )
        return True


def _collect(settings: Settings, runs: Runs, run: RunRecord) -> bool:
    sides = Sides.of(settings, run)
    secondary = secondary_of(settings, run)
    if not is_late(settings, run) and not (
        sides.candidate_ended
        and not _is_being_asked(settings, run)
        and has_ended(settings, run, sides.primary_status, sides.has_webhook)
        and _secondary_has_ended(secondary)
    ):
        runs.move_on(run, "started")
        return False
    primary, candidate = observe_primary(settings, run), observe_candidate(settings, run)
    keep(settings, run.run_id, candidate.steps)
    return store_comparison(settings, run, primary, candidate, secondary)


def is_late(settings: Settings, run: RunRecord) -> bool:
    """Whether both sides had their time since the run was made, or was last run again by hand."""
    again = EventLog(settings.store_url).last_again(run.run_id)
    begun = max(run.created_at, again or run.created_at)
    return now() - begun >= timedelta(seconds=settings.shadow.timeout_s)


def _is_being_asked(settings: Settings, run: RunRecord) -> bool:
    """Whether the server may not yet have been asked to run it again: its end is an earlier one."""
    again = EventLog(settings.store_url).last_again(run.run_id)
    return again is not None and now() - again < timedelta(seconds=ASKED_WITHIN_S)


def _secondary_has_ended(secondary: Secondary | None) -> bool:
    if secondary is None:
        return True
    status, has_webhook = legacy_status(secondary.settings, secondary.run)
    return has_ended(secondary.settings, secondary.run, status, has_webhook, Role.SECONDARY)


def has_ended(
    settings: Settings,
    run: RunRecord,
    status: str | None,
    has_webhook: bool,
    role: Role = Role.PRIMARY,
) -> bool:
    """Settled by its spans; by those that are missing, a while after the row first said `ended`."""
    spans, shadow = spans_of(settings, run), settings.shadow
    if is_settled(status, spans, has_webhook=has_webhook):
        return True
    if status not in ("ended", "error"):
        return False
    name, events = ENDED.format(role.value), EventLog(settings.store_url)
    events.record(run.run_id, name, "harness", {"event": name, "data": {}})
    first_seen = next(e.at for e in events.of(run.run_id) if e.event == name)
    lag = timedelta(seconds=patience_s(spans, settle_s=shadow.settle_s, chain_s=shadow.chain_s))
    return first_seen is not None and now() - first_seen > lag


def store_comparison(
    settings: Settings,
    run: RunRecord,
    primary: Observation,
    candidate: Observation,
    second: Secondary | None = None,
) -> bool:
    """Judge the observations and keep them with the verdict, all or nothing: the run is compared.

    False if nothing was kept: the run has moved on since it was read, or was compared before.
    """
    from reflector_migrate.judge.compare import judge
    from reflector_migrate.pricing import priced
    from reflector_migrate.shadow.waiver_files import waivers_in_force

    at, secondary = now(), second.observe() if second else None
    evidence, told = Evidence(settings.store_url), conditions(settings, primary)
    stored = floors_of_stored(settings, told, run.run_id)
    judged = judge(
        primary,
        candidate,
        secondary=secondary,
        earlier=evidence.earlier_candidate(candidate),
        floors=stored.floors,
        waivers=waivers_in_force(settings.judge.waivers_file),
        today=at.date(),
        compared_at=at,
        is_repeatable=is_repeatable(told),
    )
    comparison = judged.comparison
    known = {"run_id": run.run_id, "recording": run.recording_id}
    stratum, is_replayed = stratum_of(primary), bool(told["standins"].get("replayed"))
    why = stored.note(run.recording_id, stratum)
    notes = (*comparison.notes, *_notes(second, why, comparison, is_replayed=is_replayed))
    notes += _supersedes(evidence.first(run.run_id))
    comparison = priced(comparison, settings.prices).model_copy(update={**known, "notes": notes})
    pair, sides = None, [primary, candidate]
    if second is not None and secondary is not None:
        between = judged.repeats.between_legacy
        pair = pair_of(primary, secondary, run, told, second.came_first, between)
        sides.append(secondary)
    is_kept = evidence.add(sides, comparison, at.date().isoformat(), pair, closing=run)
    log.info("run %s: %s%s", run.run_id, comparison.verdict, "" if is_kept else ", not kept")
    return is_kept


def _supersedes(first: Comparison | None) -> tuple[str, ...]:
    """A retry or rerun by hand is compared anew; what its night says stays as it was."""
    if first is None:
        return ()
    on = f" of {first.compared_at:%Y-%m-%d %H:%M} UTC" if first.compared_at else ""
    return (f"run again by hand: the first verdict{on}, {first.verdict}, stands in its night",)


def _notes(
    second: Secondary | None, floor: str, comparison: Comparison, *, is_replayed: bool
) -> Iterator[str]:
    """What a verdict that rests on noise rests on, and in which order legacy ran twice."""
    if any(check.rule in BY_FLOOR for check in comparison.checks):
        yield floor
    if is_replayed:
        yield "recogniser and language model answered both sides from one recorded run"
    if second is not None:
        yield f"of the two legacy runs the {second.came_first.value} was queued first, by lot"

"""Waits for both sides to end, observes each, compares, judges and stores the result."""

from __future__ import annotations

import logging
from datetime import timedelta

from reflector_migrate.errors import MigrateError
from reflector_migrate.model import Comparison, Observation
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observing import (
    Sides,
    observe_candidate,
    observe_primary,
    spans_of,
)
from reflector_migrate.shadow.settling import is_settled
from reflector_migrate.store.clock import now
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Dispatches, RunRecord, Runs

log = logging.getLogger(__name__)

PRIMARY_ENDED = "harness:primary-ended"


def collect(settings: Settings, run_id: str) -> bool:
    """True once the run needs no further look: compared, or failed with a reason."""
    runs = Runs(settings.store_url)
    run = runs.by_id(run_id)
    if run is None or run.state != "started":
        return True
    try:
        return _collect(settings, runs, run)
    except MigrateError as error:
        if now() - run.created_at < timedelta(seconds=settings.shadow.timeout_s):
            log.warning("run %s cannot be collected yet: %s", run_id, error.message)
            return False
        runs.update(run_id, "failed", reason=error.message)
        Dispatches(settings.store_url).add(
            run.recording_id, "failed", run_id=run_id, reason=error.message
        )
        return True


def _collect(settings: Settings, runs: Runs, run: RunRecord) -> bool:
    sides = Sides.of(settings, run)
    is_late = now() - run.created_at > timedelta(seconds=settings.shadow.timeout_s)
    if not is_late and not (_primary_has_ended(settings, run, sides) and sides.candidate_ended):
        runs.update(run.run_id, "started")
        return False
    primary, candidate = observe_primary(settings, run), observe_candidate(settings, run)
    store_comparison(settings, run, primary, candidate)
    runs.update(run.run_id, "compared")
    return True


def _primary_has_ended(settings: Settings, run: RunRecord, sides: Sides) -> bool:
    """Settled by its spans; without them, `settle_s` after the row first said it ended."""
    spans = spans_of(settings, run)
    if is_settled(sides.primary_status, spans, has_webhook=sides.has_webhook):
        return True
    if sides.primary_status not in ("ended", "error"):
        return False
    events = EventLog(settings.store_url)
    events.record(run.run_id, PRIMARY_ENDED, "harness", {"event": PRIMARY_ENDED, "data": {}})
    first_seen = next(e.at for e in events.of(run.run_id) if e.event == PRIMARY_ENDED)
    lag = timedelta(seconds=settings.shadow.settle_s)
    return first_seen is not None and now() - first_seen > lag


def store_comparison(
    settings: Settings, run: RunRecord, primary: Observation, candidate: Observation
) -> Comparison:
    """Judge two observations and keep them with the verdict, all or nothing."""
    from reflector_migrate.judge.compare import compare
    from reflector_migrate.judge.pricing import priced
    from reflector_migrate.shadow.waiving import waivers_in_force

    at = now()
    waivers = waivers_in_force(settings.judge.waivers_file)
    judged = compare(primary, candidate, waivers=waivers, today=at.date(), compared_at=at)
    comparison = priced(judged, settings.prices).model_copy(
        update={"run_id": run.run_id, "recording": run.recording_id}
    )
    Evidence(settings.store_url).add([primary, candidate], comparison, at.date().isoformat())
    log.info("run %s: %s", run.run_id, comparison.verdict)
    return comparison

"""What is stored of a recording of a real deployment; nothing is ever run there."""

from __future__ import annotations

import time
from datetime import timedelta

from reflector_migrate.errors import (
    InputError,
    MigrateError,
    ServerUnreachableError,
    TransientStepError,
)
from reflector_migrate.harness import Harness
from reflector_migrate.model import Comparison, Engine, Role, Side, Verdict
from reflector_migrate.model.run_life import ENDS
from reflector_migrate.settings import Settings
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord

LOOK_S = 0.5


def stored_comparison(harness: Harness, recording_id: str, *, wait_s: float = 0.0) -> Comparison:
    """The newest comparison; INCONCLUSIVE while a side is missing or still running.

    A run that has not ended is waited for, `wait_s` at most; so is one that has not begun, of
    a recording that Reflector knows. Raises InputError when nothing at all is stored of it.
    """
    deadline = time.monotonic() + wait_s
    while _is_awaited(harness, recording_id) and time.monotonic() < deadline:
        time.sleep(min(LOOK_S, max(0.0, deadline - time.monotonic())))
    return _as_it_stands(harness, recording_id)


def _is_awaited(harness: Harness, recording_id: str) -> bool:
    """Whether a run of it is open, or may still begin: Reflector knows the recording.

    Also where a database does not answer just now.
    """
    try:
        run = harness.runs.latest(recording_id)
        if run:
            return run.state not in ENDS
        return _is_known_to_reflector(harness.settings, recording_id)
    except (ServerUnreachableError, TransientStepError):
        return True


def _is_known_to_reflector(settings: Settings, recording_id: str) -> bool:
    from reflector_migrate.pipeline.rows import Rows

    if not settings.reflector.database_url:
        return False
    rows = Rows.at(settings.reflector.database_url)
    return recording_id in rows.known_recordings([recording_id])


def _as_it_stands(harness: Harness, recording_id: str) -> Comparison:
    run = harness.runs.latest(recording_id)
    found = harness.evidence.latest(recording_id)
    if found is not None and (run is None or _is_of(found, run)):
        return found
    if run is None:
        is_known = _is_known_to_reflector(harness.settings, recording_id)
        raise InputError(
            f"nothing is stored of recording {recording_id}",
            hint="Reflector knows it: was it announced? migrate reconcile --since 24h"
            if is_known
            else "only recordings that ran under the shadow flag are known here",
        )
    return _unfinished(harness, run)


def _is_of(found: Comparison, run: RunRecord) -> bool:
    """Whether it is of the run as it stands: not of one that ran, or runs again, since."""
    if run.state == "skipped":
        return True
    return found.run_id == run.run_id and run.state == "compared"


def _unfinished(harness: Harness, run: RunRecord) -> Comparison:
    why = f"the candidate's run is {run.state}" + (f": {run.reason}" if run.reason else "")
    return Comparison(
        recording=run.recording_id,
        run_id=run.run_id,
        primary=Side(role=Role.PRIMARY, engine=Engine.CELERY),
        candidate=Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR, status=run.state),
        verdict=Verdict.INCONCLUSIVE,
        notes=(why, *_where_they_are(harness, run)),
    )


def _where_they_are(harness: Harness, run: RunRecord) -> tuple[str, ...]:
    """What both sides are doing just now, as far as that can be asked."""
    from reflector_migrate.shadow.observe.live_lines import both_sides

    if run.state in ENDS:
        return ()
    since = f"{_span(now() - run.created_at)} since it was announced"
    try:
        return (*both_sides(harness, run), since)
    except MigrateError as error:
        return (error.message, since)


def _span(passed: timedelta) -> str:
    """`4m12s`."""
    minutes, seconds = divmod(int(passed.total_seconds()), 60)
    return f"{minutes}m{seconds:02d}s"

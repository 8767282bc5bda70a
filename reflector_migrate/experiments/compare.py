"""Runs one synthetic recording through both engines of a sandbox and waits for the verdict.

The way is production's own: the primary's task is queued, the plugin in its
worker announces it, the dispatcher starts the workflow, the collector compares.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime

from reflector_migrate.errors import ConfigurationError, MigrateError
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.experiments.replay_answers import replayed
from reflector_migrate.experiments.secondary import is_sampled, start_pair
from reflector_migrate.experiments.secondary import start as start_primary
from reflector_migrate.harness import Harness
from reflector_migrate.model import Comparison
from reflector_migrate.model.run_life import ENDS
from reflector_migrate.sandbox.recordings import FixtureRecording, load_recording
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord

LOOK_S = 0.2
__all__ = ["compare_in_sandbox", "start_primary"]

Progress = Callable[[RunRecord | None, str], None]


def compare_in_sandbox(
    harness: Harness,
    name: str,
    *,
    timeout_s: float = 600.0,
    progress: Progress = lambda _run, _words: None,
    secondary: bool = False,
    is_replayed: bool = False,
) -> Comparison:
    """Stage, run both, and give back the stored comparison.

    `secondary` runs the primary's engine twice; so does a share of the recordings, by
    `shadow.secondary_rate`. `is_replayed`: recogniser and language model answer from one
    recorded run. Raises InputError for an unknown recording, MigrateError
    when the run could not be followed to a comparison within `timeout_s`.
    """
    if not harness.settings.shadow.enabled:
        raise ConfigurationError(
            "the shadow flag is off in this sandbox", hint="migrate sandbox up --shadow"
        )
    recording = load_recording(harness.settings.sandbox.recordings, name)
    answered = replayed(harness, recording, timeout_s) if is_replayed else nullcontext()
    with answered:
        return _compare(harness, recording, timeout_s, progress, secondary)


def _compare(
    harness: Harness,
    recording: FixtureRecording,
    timeout_s: float,
    progress: Progress,
    secondary: bool,
) -> Comparison:
    set_stage(harness, recording)
    since = now()
    if secondary or is_sampled(harness.settings, recording):
        start_pair(harness, recording)
    else:
        start_primary(harness.settings, recording)
    run = _follow(harness, recording, since, timeout_s, progress)
    found = harness.evidence.comparison(run.run_id)
    if found is None:
        why = run.reason or "no comparison"
        raise MigrateError(f"{recording.name}: run {run.run_id} {run.state}: {why}")
    return found.model_copy(update={"title": recording.title, "recording": recording.name})


def _follow(
    harness: Harness,
    recording: FixtureRecording,
    since: datetime,
    timeout_s: float,
    progress: Progress,
) -> RunRecord:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        run = harness.runs.latest(recording.recording_id)
        is_this = run is not None and run.created_at >= since
        progress(run if is_this else None, "")
        if run is not None and is_this and run.state in ENDS:
            return run
        if run is None or not is_this:
            _raise_if_refused(harness, recording, since)
        time.sleep(LOOK_S)
    raise MigrateError(
        f"{recording.name}: no verdict within {timeout_s:.0f} s",
        hint="migrate sandbox status; the logs are in the sandbox's folder",
    )


def _raise_if_refused(harness: Harness, recording: FixtureRecording, since: datetime) -> None:
    """The dispatcher may have said no before there was a run."""
    last = harness.dispatches.last(recording.recording_id)
    if last is None or last["outcome"] not in ("skipped", "failed"):
        return
    at = last["at"]
    if at is not None and at.replace(tzinfo=since.tzinfo) >= since:
        raise MigrateError(f"{recording.name}: not dispatched: {last['reason']}")

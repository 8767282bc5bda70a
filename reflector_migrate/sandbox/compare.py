"""Runs one synthetic recording through both engines of a sandbox and waits for the verdict.

The way is production's own: the primary's task is queued, the plugin in its
worker announces it, the dispatcher starts the workflow, the collector compares.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from reflector_migrate.errors import ConfigurationError, MigrateError
from reflector_migrate.model import Comparison
from reflector_migrate.sandbox.recordings import FixtureRecording, load_recording
from reflector_migrate.sandbox.stage import set_stage
from reflector_migrate.settings import Settings
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Dispatches, RunRecord, Runs

PROCESS_TASK = "reflector.worker.process.process_multitrack_recording"
PIPELINE_TASK = "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process"
LOOK_S = 0.2

Progress = Callable[[RunRecord | None, str], None]


def compare_in_sandbox(
    settings: Settings,
    name: str,
    *,
    timeout_s: float = 600.0,
    progress: Progress = lambda _run, _words: None,
) -> Comparison:
    """Stage, run both, and give back the stored comparison.

    Raises InputError for an unknown recording, MigrateError when the run could
    not be followed to a comparison within `timeout_s`.
    """
    if not settings.shadow.enabled:
        raise ConfigurationError(
            "the shadow flag is off in this sandbox", hint="migrate sandbox up --shadow"
        )
    recording = load_recording(settings.sandbox.recordings, name)
    set_stage(settings, recording)
    since = now()
    start_primary(settings, recording)
    run = _follow(settings, recording, since, timeout_s, progress)
    found = Evidence(settings.store_url).comparison(run.run_id)
    if found is None:
        raise MigrateError(f"{name}: run {run.run_id} {run.state}: {run.reason or 'no comparison'}")
    return found.model_copy(update={"title": recording.title, "recording": name})


def start_primary(settings: Settings, recording: FixtureRecording) -> None:
    """Queue what Daily's webhook, or a person who reprocesses, would queue."""
    from reflector_migrate.legacy.app import make_app

    bucket, keys = settings.reflector.tracks_bucket, list(recording.all_keys)
    if recording.trigger == "reprocess" and recording.prior is not None:
        task, about = PIPELINE_TASK, {"transcript_id": recording.prior.id}
    else:
        known = {"daily_room_name": recording.daily_room_name}
        task, about = PROCESS_TASK, known | {"recording_id": recording.recording_id}
    message: dict[str, Any] = {**about, "bucket_name": bucket, "track_keys": keys}
    with make_app(settings) as app:
        app.send_task(task, kwargs=message, ignore_result=True)


def _follow(
    settings: Settings,
    recording: FixtureRecording,
    since: datetime,
    timeout_s: float,
    progress: Progress,
) -> RunRecord:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        run = Runs(settings.store_url).latest(recording.recording_id)
        is_this = run is not None and run.created_at >= since
        progress(run if is_this else None, "")
        if run is not None and is_this and run.state in ("compared", "failed", "skipped"):
            return run
        if run is None or not is_this:
            _raise_if_refused(settings, recording, since)
        time.sleep(LOOK_S)
    raise MigrateError(
        f"{recording.name}: no verdict within {timeout_s:.0f} s",
        hint="migrate sandbox status; the logs are in the sandbox's folder",
    )


def _raise_if_refused(settings: Settings, recording: FixtureRecording, since: datetime) -> None:
    """The dispatcher may have said no before there was a run."""
    last = Dispatches(settings.store_url).last(recording.recording_id)
    if last is None or last["outcome"] not in ("skipped", "failed"):
        return
    at = last["at"]
    if at is not None and at.replace(tzinfo=since.tzinfo) >= since:
        raise MigrateError(f"{recording.name}: not dispatched: {last['reason']}")

"""The primary's engine a second time: its worker, its stage, and the order of the two runs."""

from __future__ import annotations

import random
import uuid
from typing import Any

from reflector_migrate.experiments.load_recording import set_secondary_stage
from reflector_migrate.harness import Harness
from reflector_migrate.model import Role
from reflector_migrate.model.primary_task import PIPELINE_TASK
from reflector_migrate.sandbox.recordings import FixtureRecording
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.routing import has_secondary
from reflector_migrate.store.aa_pairs import SecondaryRun

PROCESS_TASK = "reflector.worker.process.process_multitrack_recording"


def is_sampled(settings: Settings, recording: FixtureRecording) -> bool:
    """Whether this recording is of the share that gets a secondary: always the same ones."""
    return has_secondary(settings.shadow, recording.recording_id)


def ready_secondary(harness: Harness, recording: FixtureRecording) -> None:
    """Its worker up, its stage set, and no answer of an earlier run in the candidate's cache."""
    from reflector_migrate.sandbox.stack import Sandbox

    Sandbox(harness.settings, detached=True).ensure_secondary()
    set_secondary_stage(harness, recording)
    harness.cache.clear()


def start_pair(harness: Harness, recording: FixtureRecording) -> SecondaryRun:
    """Queue the primary and its secondary, in an order drawn by lot and kept."""
    ready_secondary(harness, recording)
    roots = {Role.PRIMARY: str(uuid.uuid4()), Role.SECONDARY: str(uuid.uuid4())}
    order = random.SystemRandom().sample(list(roots), 2)
    pair = SecondaryRun(
        root_id=roots[Role.PRIMARY],
        secondary_root_id=roots[Role.SECONDARY],
        recording_id=recording.recording_id,
        came_first=order[0],
    )
    harness.secondaries.add(pair)
    for role in order:
        there = harness.settings if role is Role.PRIMARY else harness.settings.as_secondary()
        start(there, recording, roots[role])
    return pair


def start(settings: Settings, recording: FixtureRecording, root_id: str | None = None) -> None:
    """Queue what Daily's webhook, or a person who reprocesses, would queue."""
    from reflector_migrate.sandbox.legacy.app import make_app

    bucket, keys = settings.reflector.tracks_bucket, list(recording.all_keys)
    if recording.trigger == "reprocess" and recording.prior is not None:
        task, about = PIPELINE_TASK, {"transcript_id": recording.prior.id}
    else:
        known = {"daily_room_name": recording.daily_room_name}
        task, about = PROCESS_TASK, known | {"recording_id": recording.recording_id}
    message: dict[str, Any] = {**about, "bucket_name": bucket, "track_keys": keys}
    with make_app(settings) as app:
        app.send_task(task, kwargs=message, task_id=root_id, ignore_result=True)

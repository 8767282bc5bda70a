"""Runs one of the pipeline's steps as the stand-in does: live, uncached, timed and logged."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import boto3  # noqa: F401 - once in the parent: imported after the fork it costs each child seconds

from reflector_migrate.harness import Harness
from reflector_migrate.model import StepRun
from reflector_migrate.pipeline.context import build_context
from reflector_migrate.pipeline.contracts import Run, StepInput
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.runner import execute
from reflector_migrate.pipeline.steps import Step
from reflector_migrate.store.artifacts import Artifacts
from reflector_migrate.store.clock import now

BUILD = "legacy-stand-in"


def run_logged(
    task_id: str,
    name: str,
    task: StepInput,
    harness: Harness,
    *,
    track_index: int | None = None,
    step: Step | None = None,
) -> Mapping[str, Any]:
    """The step's output; its times, usage and digests go to the log under the Celery task's id."""
    meter = UsageMeter()
    context = build_context(task.run, harness, flavour="celery", meter=meter)
    facts: dict[str, Any] = {
        "name": name,
        "track_index": track_index,
        "started": now(),
        "timed": "measured",
        "worker": socket.gethostname(),
        "build": BUILD,
    }
    log = harness.steps
    try:
        done = execute(name, task, context, step)
    except Exception as error:
        facts |= {"status": "failed", "error": type(error).__name__, "usage": meter.total}
        log.add(task_id, StepRun(**facts, ended=now()))
        raise
    facts |= {"input_digest": done.input_digest, "output_digest": done.output_digest}
    facts |= _kept(context.artifacts, name, task, track_index, done.output)
    log.add(task_id, StepRun(**facts, ended=now(), usage=done.usage))
    return done.output


def _kept(
    artifacts: Artifacts, name: str, task: StepInput, track_index: int | None, output: Any
) -> dict[str, str]:
    """References of input and output, kept under the run: for a later look, or to confirm.

    Both are small (words and topics are references already), and go when the run is erased.
    """
    track = "" if track_index is None else f"_{track_index}"
    given = task.model_dump(mode="json")
    run_id = task.run.run_id
    return {
        "input_ref": artifacts.put(run_id, name, f"input{track}", given).ref,
        "output_ref": artifacts.put(run_id, name, f"output{track}", output).ref,
    }


def live_run(run_id: str, transcript: Any, bucket_name: str) -> Run:
    """The run of a transcript row in the primary's own namespace."""
    return Run(
        run_id=run_id,
        recording_id=transcript.recording_id or "",
        transcript_id=transcript.id,
        namespace="live",
        bucket_name=bucket_name,
        room_id=transcript.room_id,
    )

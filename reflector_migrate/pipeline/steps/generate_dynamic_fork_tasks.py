"""Lays out the branches of a dynamic fork, one a track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import (
    ForkTask,
    GenerateForkInput,
    GenerateForkOutput,
    PadTrackInput,
    StepInput,
    TranscribeTrackInput,
)
from reflector_migrate.pipeline.fork_inputs import require_all


def generate_dynamic_fork_tasks(task: GenerateForkInput, ctx: StepContext) -> GenerateForkOutput:
    """Tasks `<task_type>_<track_index>` and their inputs, in the order of the track index."""
    branches = _to_pad(task, ctx) if task.task_type == "pad_track" else _to_transcribe(task)
    names = {index: f"{task.task_type}_{index}" for index in sorted(branches)}
    inputs: dict[str, dict[str, Any]] = {
        name: branches[index].model_dump(mode="json") for index, name in names.items()
    }
    tasks = tuple(ForkTask(name=task.task_type, taskReferenceName=name) for name in inputs)
    return GenerateForkOutput(tasks=tasks, inputs=inputs)


def _to_pad(task: GenerateForkInput, ctx: StepContext) -> Mapping[int, StepInput]:
    return {
        track.track_index: PadTrackInput(
            run=task.run,
            track_index=track.track_index,
            s3_key=track.s3_key,
            bucket_name=ctx.run.bucket_name,
        )
        for track in task.tracks
    }


def _to_transcribe(task: GenerateForkInput) -> Mapping[int, StepInput]:
    require_all(task.padded, task.expected)
    return {
        track.track_index: TranscribeTrackInput(
            run=task.run,
            track_index=track.track_index,
            audio_url=track.padded_url,
            language=task.language,
            audio_sha256=track.sha256,
        )
        for track in task.padded
    }

"""The steps on sound: pad, mix, draw, and the fork that runs a step once a track.

Conductor joins a fork into a dict by task name, whose order is not the tracks'
(`t_10` before `t_2`): every input that takes a fork's outputs puts them in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from reflector_migrate.pipeline.contracts.base import Contract, StepContract, StepInput, semantic
from reflector_migrate.pipeline.contracts.meeting import Track


class PadTrackInput(StepInput):
    """One track of the recording."""

    track_index: int = semantic()
    s3_key: str = semantic()
    bucket_name: str


class PadTrackOutput(Contract):
    """padded_url is an s3:// address, presigned only when it is read; start_s in seconds."""

    track_index: int = semantic()
    padded_url: str
    size: int
    padded: bool = semantic()
    start_s: float = semantic()
    sha256: str | None = semantic(None)


def in_track_order(value: Any) -> Any:
    """Accept a JOIN's output, a dict by task name, and put it in order of track index.

    A branch that a server joined before its output was there is empty: it is left out here,
    and the step waits for its track, as for one that the JOIN left out.
    """
    if not isinstance(value, Mapping):
        return value
    branches = [output for output in value.values() if output != {}]
    return sorted(branches, key=lambda output: output["track_index"])


def _indices(value: Any) -> Any:
    """Of tracks as the workflow has them, their indices: keys would enter the digest."""
    items = value if isinstance(value, list | tuple) else ()
    return [i["track_index"] if isinstance(i, Mapping) else i for i in items] or value


Expected = Annotated[tuple[int, ...], BeforeValidator(_indices)]
"""Every track the recording has: those of which a fork must have brought something."""


class ForkTask(Contract):
    """One branch of a dynamic fork, as Conductor wants it."""

    name: str = semantic()
    taskReferenceName: str = semantic()  # noqa: N815 - Conductor's own field
    type: Literal["SIMPLE"] = "SIMPLE"
    optional: bool = False


class GenerateForkInput(StepInput):
    """Either the tracks to pad or the padded tracks to transcribe."""

    task_type: Literal["pad_track", "transcribe_track"]
    tracks: tuple[Track, ...] = ()
    expected: Expected = ()
    padded: Annotated[tuple[PadTrackOutput, ...], BeforeValidator(in_track_order)] = ()
    language: str = "en"


class GenerateForkOutput(Contract):
    """tasks and their inputs by reference name, in order of track index."""

    tasks: tuple[ForkTask, ...]
    inputs: dict[str, dict[str, Any]]


class MixdownInput(StepInput):
    """The padded tracks; a JOIN's dict is put in track order."""

    padded_urls: Annotated[tuple[PadTrackOutput, ...], BeforeValidator(in_track_order)]
    expected: Expected = ()


class MixdownOutput(Contract):
    """duration in milliseconds with two decimals, as the row stores it."""

    audio_key: str
    duration: float = semantic()
    size: int = semantic()
    sha256: str | None = semantic(None)
    skipped_tracks: tuple[int, ...] = semantic(())


class WaveformInput(StepInput):
    """The mixed audio; audio_sha256 is of its content, and not used to find it."""

    audio_key: str
    audio_sha256: str | None = semantic(None)


class WaveformOutput(Contract):
    """Peaks in [0, 1], two decimals, at most 280 of them."""

    waveform: tuple[float, ...] = semantic()


CONTRACTS = {
    "generate_dynamic_fork_tasks": StepContract(GenerateForkInput, GenerateForkOutput),
    "pad_track": StepContract(PadTrackInput, PadTrackOutput),
    "mixdown_tracks": StepContract(MixdownInput, MixdownOutput),
    "generate_waveform": StepContract(WaveformInput, WaveformOutput),
}

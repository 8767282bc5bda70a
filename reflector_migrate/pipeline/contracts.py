"""Input and output of every step, as they cross an engine's JSON.

Field names are the requirements'; what parity needs is added. Word and topic
lists travel as a `Ref` to what is stored. A field that says what was recognised
or written is *semantic* and enters the step's digest; ids, URLs, namespaces and
clocks are not. `contract_hash()` changes with any of this, and task domains carry
it, so that a worker of another build never receives a task.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

CONTRACT_VERSION = 1

Namespace = Literal["shadow", "live"]


class Contract(BaseModel):
    """A frozen, JSON-safe value; an unknown field is an error, so typos cannot hide."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


def semantic(default: Any = ...) -> Any:
    """Declare a field that enters the step's digest."""
    return Field(default, json_schema_extra={"semantic": True})


class Ref(Contract):
    """Where a large value is stored, what its content hashes to (ids aside), how many items."""

    ref: str
    sha256: str = semantic()
    count: int = semantic()


class Run(Contract):
    """Whose recording this is and in which namespace it may write; the same for all steps."""

    run_id: str
    recording_id: str
    transcript_id: str
    namespace: Namespace
    bucket_name: str
    room_id: str | None = None
    workflow_id: str | None = None


class StepInput(Contract):
    """What every step receives."""

    run: Run


class Track(Contract):
    """One participant's audio: index in the recording, object key."""

    track_index: int
    s3_key: str = semantic()


class ForkTask(Contract):
    """One branch of a dynamic fork, as Conductor wants it."""

    name: str = semantic()
    taskReferenceName: str = semantic()  # noqa: N815 - Conductor's own field
    type: Literal["SIMPLE"] = "SIMPLE"
    optional: bool = False


class PersonInMeeting(Contract):
    """A participant as Daily reports them."""

    participant_id: str = semantic()
    user_name: str | None = semantic(None)
    user_id: str | None = semantic(None)


class GetRecordingInput(StepInput):
    """Daily's account of the recording is looked up by its id."""

    recording_id: str


class GetRecordingOutput(Contract):
    """duration in seconds, None where Daily does not say."""

    id: str
    mtg_session_id: str | None = None
    room_name: str | None = semantic(None)
    duration: float | None = semantic(None)
    source_language: str = semantic("en")
    target_language: str = semantic("en")


class GetParticipantsInput(StepInput):
    """No session id means no names, never a failure."""

    mtg_session_id: str | None = None
    tracks: tuple[Track, ...]


class GetParticipantsOutput(Contract):
    """Who was in the meeting."""

    participants: tuple[PersonInMeeting, ...] = semantic()


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


def _in_track_order(value: Any) -> Any:
    """Accept a JOIN's output, a dict by task name, and put it in order of track index."""
    if isinstance(value, Mapping):
        return sorted(value.values(), key=lambda output: output["track_index"])
    return value


def _indices(value: Any) -> Any:
    """Of tracks as the workflow has them, their indices: keys would enter the digest."""
    items = value if isinstance(value, list | tuple) else ()
    return [i["track_index"] if isinstance(i, Mapping) else i for i in items] or value


Expected = Annotated[tuple[int, ...], BeforeValidator(_indices)]
"""Every track the recording has: those of which a fork must have brought something."""


class GenerateForkInput(StepInput):
    """Either the tracks to pad or the padded tracks to transcribe."""

    task_type: Literal["pad_track", "transcribe_track"]
    tracks: tuple[Track, ...] = ()
    expected: Expected = ()
    padded: Annotated[tuple[PadTrackOutput, ...], BeforeValidator(_in_track_order)] = ()
    language: str = "en"


class GenerateForkOutput(Contract):
    """tasks and their inputs by reference name, in order of track index."""

    tasks: tuple[ForkTask, ...]
    inputs: dict[str, dict[str, Any]]


class MixdownInput(StepInput):
    """The padded tracks; a JOIN's dict is put in track order."""

    padded_urls: Annotated[tuple[PadTrackOutput, ...], BeforeValidator(_in_track_order)]
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


class TranscribeTrackInput(StepInput):
    """audio_url is the s3:// address of a padded (or, starting at 0, original) track.

    audio_sha256 is of its content: what the recogniser's answers are remembered by.
    """

    track_index: int = semantic()
    audio_url: str
    language: str = semantic()
    audio_sha256: str | None = semantic(None)


class TranscribeTrackOutput(Contract):
    """words: a Ref to the stored list."""

    track_index: int = semantic()
    words: Ref = semantic()


class MergeInput(StepInput):
    """Every track's words; a JOIN's dict is put in track order."""

    transcripts: Annotated[tuple[TranscribeTrackOutput, ...], BeforeValidator(_in_track_order)]
    expected: Expected = ()


class MergeOutput(Contract):
    """all_words: a Ref to the merged list, sorted by start."""

    all_words: Ref = semantic()
    word_count: int = semantic()


class TopicsInput(StepInput):
    """The merged words."""

    words: Ref
    target_language: str = semantic("en")


class TopicsOutput(Contract):
    """topics: a Ref to the stored list."""

    topics: Ref = semantic()


class TitleInput(StepInput):
    """The topics, whose titles make the meeting's title."""

    topics: Ref


class TitleOutput(Contract):
    """None when nothing was said."""

    title: str | None = semantic(None)


class SummaryInput(StepInput):
    """Words and topics of the meeting; is_last_attempt: nobody will try again."""

    words: Ref
    topics: Ref
    is_last_attempt: bool = False


class SummaryOutput(Contract):
    """summary: the long one, Markdown; short_summary: one paragraph."""

    summary: str | None = semantic(None)
    short_summary: str | None = semantic(None)


class FinalizeInput(StepInput):
    """outcome `error` is what the failure workflow sends; duration in milliseconds."""

    recording_id: str
    title: str | None = semantic(None)
    summary: str | None = semantic(None)
    short_summary: str | None = semantic(None)
    duration: float | None = semantic(None)
    outcome: Literal["ended", "error"] = semantic("ended")


class FinalizeOutput(Contract):
    """The requirements' literal status beside the row's."""

    status: Literal["COMPLETED"] = "COMPLETED"
    transcript_status: str = semantic()


class ConsentInput(StepInput):
    """Consent is looked up by the recording's meeting."""

    transcript_id: str


class ConsentOutput(Contract):
    """deleted: object keys that were (or, in shadow, would have been) deleted."""

    audio_deleted: bool = semantic()
    reason: str
    deleted: tuple[str, ...] = ()


class ZulipInput(StepInput):
    """The transcript's room says whether and where to post."""

    transcript_id: str


class ZulipOutput(Contract):
    """message_id is None when nothing was posted."""

    message_id: int | None = None
    posted: bool = semantic()
    reason: str = ""


class WebhookInput(StepInput):
    """The room says whether and where to send; attempt counts from 0."""

    transcript_id: str
    room_id: str | None = None
    attempt: int = Field(0, ge=0)


class WebhookOutput(Contract):
    """status_code is None when nothing was sent."""

    sent: bool = semantic()
    status_code: int | None = None
    event_id: str | None = None
    reason: str = ""


class StepContract(NamedTuple):
    """The two models of a step."""

    input: type[StepInput]
    output: type[Contract]


CONTRACTS: Mapping[str, StepContract] = {
    "get_recording": StepContract(GetRecordingInput, GetRecordingOutput),
    "get_participants": StepContract(GetParticipantsInput, GetParticipantsOutput),
    "generate_dynamic_fork_tasks": StepContract(GenerateForkInput, GenerateForkOutput),
    "pad_track": StepContract(PadTrackInput, PadTrackOutput),
    "mixdown_tracks": StepContract(MixdownInput, MixdownOutput),
    "generate_waveform": StepContract(WaveformInput, WaveformOutput),
    "transcribe_track": StepContract(TranscribeTrackInput, TranscribeTrackOutput),
    "merge_transcripts": StepContract(MergeInput, MergeOutput),
    "detect_topics": StepContract(TopicsInput, TopicsOutput),
    "generate_title": StepContract(TitleInput, TitleOutput),
    "generate_summary": StepContract(SummaryInput, SummaryOutput),
    "finalize": StepContract(FinalizeInput, FinalizeOutput),
    "cleanup_consent": StepContract(ConsentInput, ConsentOutput),
    "post_zulip": StepContract(ZulipInput, ZulipOutput),
    "send_webhook": StepContract(WebhookInput, WebhookOutput),
}


def contract_hash() -> str:
    """Twelve hex digits that change when any step's JSON Schema does."""
    schemas = {
        name: [c.input.model_json_schema(), c.output.model_json_schema()]
        for name, c in CONTRACTS.items()
    }
    text = json.dumps([CONTRACT_VERSION, schemas], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]

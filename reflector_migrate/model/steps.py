"""The steps: one row says all that a step is, and every table of steps is read from the rows.

Code that belongs to one step lives elsewhere under the step's name: its contract in
pipeline/contracts, its function in pipeline/steps, its worker in conductor/workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Group = Literal["light", "transcribe", "audio"]
Service = Literal["daily", "recogniser", "llm", "zulip", "webhook"]


@dataclass(frozen=True, slots=True)
class StepSpec:
    """All that a step is, apart from its code.

    Unscaled seconds; `response_timeout_s` is how long a worker may be silent.
    """

    name: str
    description: str

    # how the engine runs it
    timeout_s: int = 60
    response_timeout_s: int = 30
    retries: int = 3
    retry_wait_s: int = 2
    is_backoff_exponential: bool = True
    group: Group = "light"  # which worker processes run it
    service: Service | None = None  # whose budget its tasks share
    has_parallel_calls: bool = False  # one task calls the service several times at once
    is_per_track: bool = False
    is_visible: bool = True  # people see its progress
    runs: int = 1  # completed runs of it in one workflow, on each track
    rerun_from: str | None = None  # the task that a rerun begins with, if not with the step itself
    is_after_end: bool = False  # runs once the status is final, and only where the room asks for it

    # what it works on
    inputs: tuple[str, ...] = ()  # steps whose work reaches it, through its input or the row
    row_inputs: tuple[str, ...] = ()  # those of `inputs` that its recorded input does not show
    reads_model: bool = False  # the same input need not give the same output

    # what it leaves
    events: tuple[str, ...] = ()  # published, in this order
    columns: Mapping[str, Any] = field(default_factory=dict)  # written -> value before the step
    reports_columns: tuple[str, ...] = ()  # not written, but this step answers for them
    effects: tuple[str, ...] = ()  # kinds of side effect that this step answers for
    is_speech: bool = False  # makes the words
    is_heard: bool = False  # its words are published before they are stored

    # how the Celery pipeline shows it
    primary_method: str | None = None
    primary_tasks: tuple[str, ...] = ()  # the first does the work, others start it

    @property
    def attempts(self) -> int:
        """How often the step is tried in all."""
        return self.retries + 1


STEP_SPECS: tuple[StepSpec, ...] = (
    StepSpec(
        "get_recording",
        "Ask Daily for the recording; put the transcript's row to work",
        service="daily",
        events=("STATUS",),
        reports_columns=("source_language", "target_language"),
    ),
    StepSpec(
        "get_participants",
        "Ask Daily who was in the meeting; name the speakers",
        service="daily",
        inputs=("get_recording",),
        columns={"participants": []},
    ),
    StepSpec(
        "generate_dynamic_fork_tasks",
        "List one task per track for the dynamic fork that follows",
        timeout_s=30,
        response_timeout_s=15,
        is_visible=False,
        runs=2,
        inputs=("get_recording",),
    ),
    StepSpec(
        "pad_track",
        "Align one track with the meeting's start by leading silence",
        timeout_s=300,
        response_timeout_s=120,
        group="audio",
        is_per_track=True,
        rerun_from="plan_padding",
        is_speech=True,
        primary_method="pad_track_for_transcription",
    ),
    StepSpec(
        "mixdown_tracks",
        "Mix all padded tracks into the meeting's audio",
        timeout_s=600,
        response_timeout_s=300,
        group="audio",
        rerun_from="plan_padding",
        inputs=("pad_track",),
        events=("DURATION",),
        columns={"duration": 0.0, "audio_location": "local"},
        effects=("s3_put", "local_put"),
        primary_method="mixdown_tracks",
    ),
    StepSpec(
        "generate_waveform",
        "Draw the waveform of the mixed audio",
        timeout_s=120,
        response_timeout_s=60,
        group="audio",
        rerun_from="plan_padding",
        inputs=("mixdown_tracks",),
        events=("WAVEFORM",),
    ),
    StepSpec(
        "transcribe_track",
        "Recognise the speech of one track",
        timeout_s=1800,
        response_timeout_s=900,
        group="transcribe",
        service="recogniser",
        is_per_track=True,
        rerun_from="plan_padding",
        inputs=("get_recording", "pad_track"),
        reads_model=True,
        is_speech=True,
        is_heard=True,
        primary_method="transcribe_file",
    ),
    StepSpec(
        "merge_transcripts",
        "Merge the tracks' words by time, one speaker per track",
        inputs=("transcribe_track",),
        events=("TRANSCRIPT",),
        is_speech=True,
        is_heard=True,
    ),
    StepSpec(
        "detect_topics",
        "Find the topics of the meeting with the language model",
        timeout_s=300,
        response_timeout_s=120,
        service="llm",
        has_parallel_calls=True,
        rerun_from="merge_transcripts",
        inputs=("get_recording", "merge_transcripts"),
        reads_model=True,
        events=("TOPIC",),
        columns={"topics": [], "webvtt": None},
        primary_method="detect_topics",
    ),
    StepSpec(
        "generate_title",
        "Give the meeting a title from its topics",
        service="llm",
        rerun_from="merge_transcripts",
        inputs=("detect_topics",),
        reads_model=True,
        events=("FINAL_TITLE",),
        columns={"title": None},
        primary_method="generate_title",
    ),
    StepSpec(
        "generate_summary",
        "Write the long and the short summary",
        timeout_s=300,
        response_timeout_s=120,
        service="llm",
        has_parallel_calls=True,
        rerun_from="merge_transcripts",
        inputs=("get_participants", "merge_transcripts", "detect_topics"),
        row_inputs=("get_participants",),
        reads_model=True,
        events=("FINAL_SHORT_SUMMARY", "FINAL_LONG_SUMMARY"),
        columns={"short_summary": None, "long_summary": None},
        primary_method="generate_summaries",
    ),
    StepSpec(
        "finalize",
        "Set the transcript's final status",
        inputs=("mixdown_tracks", "generate_title", "generate_summary"),
        events=("STATUS",),
        columns={"status": "processing"},
    ),
    StepSpec(
        "cleanup_consent",
        "Delete the audio when consent was denied",
        is_after_end=True,
        columns={"audio_deleted": None},
        effects=("s3_delete", "local_delete"),
        primary_tasks=("task_cleanup_consent",),
    ),
    StepSpec(
        "post_zulip",
        "Post the transcript to the room's Zulip topic",
        retries=5,
        service="zulip",
        rerun_from="cleanup_consent",
        is_after_end=True,
        inputs=("detect_topics", "generate_title", "generate_summary", "mixdown_tracks"),
        columns={"zulip_message_id": None},
        effects=("zulip_message", "zulip_update"),
        primary_tasks=("task_pipeline_post_to_zulip",),
    ),
    StepSpec(
        "send_webhook",
        "Tell the customer's webhook that the transcript is ready",
        retries=30,
        retry_wait_s=60,  # fixed, as the legacy pipeline really waits
        is_backoff_exponential=False,
        service="webhook",
        rerun_from="cleanup_consent",
        is_after_end=True,
        inputs=(
            "get_participants",
            "detect_topics",
            "generate_title",
            "generate_summary",
            "mixdown_tracks",
        ),
        effects=("webhook",),
        primary_tasks=("send_transcript_webhook", "task_send_webhook_if_needed"),
    ),
)
"""Every step in the order in which it first runs."""

STEP_NAMES: tuple[str, ...] = tuple(spec.name for spec in STEP_SPECS)
VISIBLE_STEPS: tuple[str, ...] = tuple(spec.name for spec in STEP_SPECS if spec.is_visible)
"""The steps a person is shown progress for."""
TRACK_STEPS: frozenset[str] = frozenset(spec.name for spec in STEP_SPECS if spec.is_per_track)
"""The steps that run once per track."""
USER_EVENTS = frozenset({"STATUS", "DURATION", "FINAL_TITLE"})
"""Events that also go to the user's own channel, as TRANSCRIPT_<event> with the transcript's id."""

_SPEC_OF: Mapping[str, StepSpec] = {spec.name: spec for spec in STEP_SPECS}


def spec_of(step: str) -> StepSpec:
    """The row of a step. Raises KeyError on a name that is not a step's."""
    return _SPEC_OF[step]


def position(step: str | None) -> int:
    """A step's place in the pipeline; unknown ones come last."""
    return STEP_NAMES.index(step) if step in _SPEC_OF else len(STEP_NAMES)

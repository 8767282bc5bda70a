"""The fifteen task definitions: the requirements' table, as Conductor takes it.

Times are scaled for tests only; the table itself is asserted unscaled. Backoff is
exponential from two seconds, capped where the server can cap it; the webhook
waits a fixed minute, as the legacy pipeline really does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.contracts import CONTRACTS
from reflector_migrate.settings import Settings

Json = dict[str, Any]

BACKOFF_S = 2
BACKOFF_CAP_S = 60
WEBHOOK_RETRY_S = 60


class Timing(NamedTuple):
    """Seconds in all, seconds without a sign of life, retries after the first attempt."""

    timeout_s: int
    response_timeout_s: int
    retry_count: int

    @property
    def attempts(self) -> int:
        """How often the step is tried in all."""
        return self.retry_count + 1


TABLE: Mapping[str, Timing] = {
    "get_recording": Timing(60, 30, 3),
    "get_participants": Timing(60, 30, 3),
    "pad_track": Timing(300, 120, 3),
    "mixdown_tracks": Timing(600, 300, 3),
    "generate_waveform": Timing(120, 60, 3),
    "transcribe_track": Timing(1800, 900, 3),
    "merge_transcripts": Timing(60, 30, 3),
    "detect_topics": Timing(300, 120, 3),
    "generate_title": Timing(60, 30, 3),
    "generate_summary": Timing(300, 120, 3),
    "finalize": Timing(60, 30, 3),
    "cleanup_consent": Timing(60, 30, 3),
    "post_zulip": Timing(60, 30, 5),
    "send_webhook": Timing(60, 30, 30),
    "generate_dynamic_fork_tasks": Timing(30, 15, 3),
}

DESCRIPTIONS: Mapping[str, str] = {
    "get_recording": "Ask Daily for the recording; put the transcript's row to work",
    "get_participants": "Ask Daily who was in the meeting; name the speakers",
    "generate_dynamic_fork_tasks": "List one task per track for the dynamic fork that follows",
    "pad_track": "Align one track with the meeting's start by leading silence",
    "mixdown_tracks": "Mix all padded tracks into the meeting's audio",
    "generate_waveform": "Draw the waveform of the mixed audio",
    "transcribe_track": "Recognise the speech of one track",
    "merge_transcripts": "Merge the tracks' words by time, one speaker per track",
    "detect_topics": "Find the topics of the meeting with the language model",
    "generate_title": "Give the meeting a title from its topics",
    "generate_summary": "Write the long and the short summary",
    "finalize": "Set the transcript's final status",
    "cleanup_consent": "Delete the audio when consent was denied",
    "post_zulip": "Post the transcript to the room's Zulip topic",
    "send_webhook": "Tell the customer's webhook that the transcript is ready",
}

SERVICE_OF: Mapping[str, str] = {
    "transcribe_track": "recogniser",
    "detect_topics": "llm",
    "generate_title": "llm",
    "generate_summary": "llm",
    "get_recording": "daily",
    "get_participants": "daily",
    "post_zulip": "zulip",
    "send_webhook": "webhook",
}
"""Which outside service a step calls; its budget is divided over its steps."""

SEVERAL_CALLS = ("detect_topics", "generate_summary")
"""Steps of which one task calls its service several times at once."""


def task_definitions(settings: Settings, *, caps_retry_delay: bool) -> tuple[Json, ...]:
    """All fifteen, in the order in which the steps first run.

    `caps_retry_delay`: whether the server knows `maxRetryDelaySeconds`.
    """
    limits = concurrency_limits(settings)
    return tuple(
        _definition(name, settings, limits.get(name), caps_retry_delay=caps_retry_delay)
        for name in STEP_NAMES
    )


def concurrency_limits(settings: Settings) -> dict[str, int]:
    """Tasks of each step at once: as many of each that calls a service as its budget allows."""
    budgets = settings.budgets.model_dump()
    calls = {name: settings.llm_calls if name in SEVERAL_CALLS else 1 for name in SERVICE_OF}
    in_all = {
        service: sum(calls[name] for name, called in SERVICE_OF.items() if called == service)
        for service in budgets
    }
    return {name: budgets[service] // in_all[service] for name, service in SERVICE_OF.items()}


def scaled(seconds: float, time_scale: float) -> int:
    """Whole seconds, at least one: Conductor knows no less."""
    return max(1, math.ceil(seconds * time_scale))


def _definition(
    name: str, settings: Settings, limit: int | None, *, caps_retry_delay: bool
) -> Json:
    timing, scale = TABLE[name], settings.conductor.time_scale
    definition: Json = {
        "name": name,
        "description": DESCRIPTIONS[name],
        "ownerEmail": settings.conductor.owner_email,
        "timeoutSeconds": scaled(timing.timeout_s, scale),
        "responseTimeoutSeconds": scaled(timing.response_timeout_s, scale),
        "timeoutPolicy": "RETRY",
        "retryCount": timing.retry_count,
        "inputKeys": sorted(CONTRACTS[name].input.model_fields),
        "outputKeys": sorted(CONTRACTS[name].output.model_fields),
        **_retry_delay(name, scale, caps_retry_delay=caps_retry_delay),
    }
    return definition if limit is None else {**definition, "concurrentExecLimit": limit}


def _retry_delay(name: str, scale: float, *, caps_retry_delay: bool) -> Json:
    logic: Literal["FIXED", "EXPONENTIAL_BACKOFF"] = "EXPONENTIAL_BACKOFF"
    if name == "send_webhook":
        return {"retryLogic": "FIXED", "retryDelaySeconds": scaled(WEBHOOK_RETRY_S, scale)}
    delay: Json = {"retryLogic": logic, "retryDelaySeconds": scaled(BACKOFF_S, scale)}
    if caps_retry_delay:
        delay["maxRetryDelaySeconds"] = scaled(BACKOFF_CAP_S, scale)
    return delay

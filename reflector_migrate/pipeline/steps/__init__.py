"""The fifteen steps: plain functions of a task and a context, no engine in sight.

Each may run twice, be killed halfway or run on two workers at once, and the
result is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reflector_migrate.pipeline.steps.cleanup_consent import cleanup_consent
from reflector_migrate.pipeline.steps.detect_topics import detect_topics
from reflector_migrate.pipeline.steps.finalize import finalize
from reflector_migrate.pipeline.steps.generate_dynamic_fork_tasks import generate_dynamic_fork_tasks
from reflector_migrate.pipeline.steps.generate_summary import generate_summary
from reflector_migrate.pipeline.steps.generate_title import generate_title
from reflector_migrate.pipeline.steps.generate_waveform import generate_waveform
from reflector_migrate.pipeline.steps.get_participants import get_participants
from reflector_migrate.pipeline.steps.get_recording import get_recording
from reflector_migrate.pipeline.steps.merge_transcripts import merge_transcripts
from reflector_migrate.pipeline.steps.mixdown_tracks import mixdown_tracks
from reflector_migrate.pipeline.steps.pad_track import pad_track
from reflector_migrate.pipeline.steps.post_zulip import post_zulip
from reflector_migrate.pipeline.steps.send_webhook import send_webhook
from reflector_migrate.pipeline.steps.transcribe_track import transcribe_track

Step = Callable[[Any, Any], Any]
"""From a step's input and a StepContext to the step's output."""

STEPS: Mapping[str, Step] = {
    "get_recording": get_recording,
    "get_participants": get_participants,
    "generate_dynamic_fork_tasks": generate_dynamic_fork_tasks,
    "pad_track": pad_track,
    "mixdown_tracks": mixdown_tracks,
    "generate_waveform": generate_waveform,
    "transcribe_track": transcribe_track,
    "merge_transcripts": merge_transcripts,
    "detect_topics": detect_topics,
    "generate_title": generate_title,
    "generate_summary": generate_summary,
    "finalize": finalize,
    "cleanup_consent": cleanup_consent,
    "post_zulip": post_zulip,
    "send_webhook": send_webhook,
}

"""The fifteen steps by name; what they do is told in pipeline/steps."""

from __future__ import annotations

STEP_NAMES: tuple[str, ...] = (
    "get_recording",
    "get_participants",
    "generate_dynamic_fork_tasks",
    "pad_track",
    "mixdown_tracks",
    "generate_waveform",
    "transcribe_track",
    "merge_transcripts",
    "detect_topics",
    "generate_title",
    "generate_summary",
    "finalize",
    "cleanup_consent",
    "post_zulip",
    "send_webhook",
)
"""The requirements' fifteen steps in the order in which they first run."""

VISIBLE_STEPS: tuple[str, ...] = tuple(s for s in STEP_NAMES if s != "generate_dynamic_fork_tasks")
"""The fourteen steps a person is shown progress for."""

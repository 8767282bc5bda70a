"""What each step works on, and which steps can make a measure diverge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from comparators.registry import MeasureSpec
from reflector_migrate.model import STEP_NAMES

PER_TRACK = frozenset({"pad_track", "transcribe_track"})

INPUTS: Mapping[str, tuple[str, ...]] = {
    "get_recording": (),
    "get_participants": ("get_recording",),
    "generate_dynamic_fork_tasks": ("get_recording",),
    "pad_track": (),
    "mixdown_tracks": ("pad_track",),
    "generate_waveform": ("mixdown_tracks",),
    "transcribe_track": ("get_recording", "pad_track"),
    "merge_transcripts": ("transcribe_track",),
    "detect_topics": ("get_recording", "merge_transcripts"),
    "generate_title": ("detect_topics",),
    "generate_summary": ("get_participants", "merge_transcripts", "detect_topics"),
    "finalize": ("mixdown_tracks", "generate_title", "generate_summary"),
    "cleanup_consent": (),
    "post_zulip": ("detect_topics", "generate_title", "generate_summary", "mixdown_tracks"),
    "send_webhook": (
        "get_participants", "detect_topics", "generate_title", "generate_summary",
        "mixdown_tracks",
    ),
}  # fmt: skip
"""Step -> steps whose work it works on, through its input or through the row."""

FROM_ROW: Mapping[str, tuple[str, ...]] = {"generate_summary": ("get_participants",)}
"""Step -> of these, the ones that its input does not show."""

FREE = frozenset({"transcribe_track", "detect_topics", "generate_title", "generate_summary"})
"""Steps that ask a model: the same input need not give the same output."""

HEARING = frozenset({"transcribe_track", "merge_transcripts"})
"""Steps whose words are told to listeners before anybody stores them."""

SPEECH = ("pad_track", "transcribe_track", "merge_transcripts")


def position(step: str) -> int:
    """A step's place in the pipeline; unknown ones come last."""
    return STEP_NAMES.index(step) if step in STEP_NAMES else len(STEP_NAMES)


@cache
def before(step: str) -> frozenset[str]:
    """Every step whose work reaches this one."""
    direct = INPUTS.get(step, ())
    return frozenset(direct).union(*(before(parent) for parent in direct))


def causes_of(measure: MeasureSpec | None) -> frozenset[str] | None:
    """Steps that can make a measure of content diverge; None for all other measures.

    A title may also be that of other topics, and a summary of other words: any step that
    works on the other one's output.
    """
    if measure is None or not measure.caused_by:
        return None
    last = measure.caused_by
    return before(last).union({last}, measure.also_by)

"""What each step works on, and which measures tell about what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

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

OWN_MEASURES: Mapping[str, tuple[str, ...]] = {
    "get_participants": ("participants",),
    "pad_track": ("word_times", "words", "duration", "waveform"),
    "mixdown_tracks": ("duration", "waveform"),
    "generate_waveform": ("waveform",),
    "transcribe_track": ("words", "words_raw", "word_times"),
    "merge_transcripts": ("words", "words_raw", "word_times", "speaker_words", "speaker_mapping"),
    "detect_topics": ("topic_boundaries", "topic_content", "language"),
    "generate_title": ("title", "title_facts"),
    "generate_summary": ("short_summary", "long_summary", "summary_facts", "language"),
}
"""Step -> measures of its output, and of what is drawn from it; all within noise: it agrees."""

STORED_BY: Mapping[str, str] = dict.fromkeys(
    ("words", "words_raw", "speaker_words", "speaker_mapping", "word_times", "catastrophes"),
    "detect_topics",
)
"""Measure -> the step that writes what is measured into the row: words stand in its topics."""

FREE = frozenset({"transcribe_track", "detect_topics", "generate_title", "generate_summary"})
"""Steps that ask a model: the same input need not give the same output."""

FIRM = frozenset({"catastrophes", "language", "speaker_mapping"})
"""Measures of content that no noise makes diverge: who speaks, in which language, an empty text."""

HEARING = frozenset({"transcribe_track", "merge_transcripts"})
"""Steps whose words are told to listeners before anybody stores them."""

SPEECH = ("pad_track", "transcribe_track", "merge_transcripts")
_CONTENT: Mapping[str, str] = {
    "words": "merge_transcripts",
    "words_raw": "merge_transcripts",
    "speaker_words": "merge_transcripts",
    "speaker_mapping": "merge_transcripts",
    "word_times": "merge_transcripts",
    "topic_boundaries": "detect_topics",
    "topic_content": "detect_topics",
    "title": "generate_title",
    "title_facts": "generate_title",
    "short_summary": "generate_summary",
    "long_summary": "generate_summary",
    "summary_facts": "generate_summary",
    "language": "generate_summary",
    "catastrophes": "generate_summary",
    "duration": "mixdown_tracks",
    "waveform": "generate_waveform",
}
"""Measure of content -> the last step that can make it diverge; so can all before that one."""


def position(step: str) -> int:
    """A step's place in the pipeline; unknown ones come last."""
    return STEP_NAMES.index(step) if step in STEP_NAMES else len(STEP_NAMES)


@cache
def before(step: str) -> frozenset[str]:
    """Every step whose work reaches this one."""
    direct = INPUTS.get(step, ())
    return frozenset(direct).union(*(before(parent) for parent in direct))


def causes_of(measure: str) -> frozenset[str] | None:
    """Steps that can make a measure of content diverge; None for all other measures.

    A title may also be that of other topics, and a summary of other words: whoever
    works on the other one's output. catastrophes look at titles too.
    """
    last = _CONTENT.get(measure)
    if last is None:
        return None
    also = {"generate_title"} if measure == "catastrophes" else set()
    return before(last) | {last} | also

"""Every comparator, in the order in which results are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from comparators import (
    captions,
    catastrophes,
    cost,
    events,
    output_language,
    row,
    side_effects,
    speaker_words,
    summaries,
    summary_facts,
    timings,
    topic_boundaries,
    topic_content,
    word_times,
    words,
)
from reflector_migrate.model import Measure, Observation


class Comparator(NamedTuple):
    """A named pure function (reference, hypothesis) -> Measure, and the step it tells about."""

    name: str
    compare: Callable[[Observation, Observation], Measure]
    step: str


COMPARATORS: tuple[Comparator, ...] = (
    Comparator("words", words.compare_words, "transcribe_track"),
    Comparator("words_raw", words.compare_words_raw, "transcribe_track"),
    Comparator("speaker_words", speaker_words.compare_speaker_words, "merge_transcripts"),
    Comparator("speaker_mapping", speaker_words.compare_speaker_mapping, "merge_transcripts"),
    Comparator("word_times", word_times.compare_word_times, "pad_track"),
    Comparator("topic_boundaries", topic_boundaries.compare_topic_boundaries, "detect_topics"),
    Comparator("topic_content", topic_content.compare_topic_content, "detect_topics"),
    Comparator("title", summaries.compare_title, "generate_title"),
    Comparator("title_facts", summary_facts.compare_title_facts, "generate_title"),
    Comparator("short_summary", summaries.compare_short_summary, "generate_summary"),
    Comparator("long_summary", summaries.compare_long_summary, "generate_summary"),
    Comparator("summary_facts", summary_facts.compare_summary_facts, "generate_summary"),
    Comparator("language", output_language.compare_language, "generate_summary"),
    Comparator("participants", row.compare_participants, "get_participants"),
    Comparator("duration", row.compare_duration, "mixdown_tracks"),
    Comparator("waveform", row.compare_waveform, "generate_waveform"),
    Comparator("webvtt", captions.compare_webvtt, "detect_topics"),
    Comparator("status", row.compare_status, "finalize"),
    Comparator("row", row.compare_row, "finalize"),
    Comparator("catastrophes", catastrophes.compare_catastrophes, "transcribe_track"),
    Comparator("events", events.compare_events, "finalize"),
    Comparator("side_effects", side_effects.compare_side_effects, "finalize"),
    Comparator("timings", timings.compare_timings, "finalize"),
    Comparator("cost", cost.compare_cost, "finalize"),
)


def by_name(name: str) -> Comparator:
    """The comparator of that name. Raises KeyError, naming those there are."""
    for comparator in COMPARATORS:
        if comparator.name == name:
            return comparator
    raise KeyError(f"no comparator {name!r}; there are: {', '.join(c.name for c in COMPARATORS)}")

"""Captions from words: the real pipeline's own rows are the yardstick."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reflector_migrate.pipeline.webvtt import (
    WordsOutOfOrderError,
    timestamp,
    webvtt_of_topics,
    webvtt_of_words,
)

RUNS = Path(__file__).parent.parent / "fixtures" / "runs"


def word(text, start, end=None, speaker=0):
    """A word as the row keeps it."""
    return {"text": text, "start": start, "end": end or start + 0.1, "speaker": speaker}


@pytest.mark.parametrize("run", ["good", "zero-start", "denied-consent", "recogniser-error"])
def test_captions_equal_the_real_ones_byte_for_byte(run):
    """The words of a recorded row give that row's captions."""
    row = json.loads((RUNS / run / "rows.json").read_text())["transcript"][0]
    assert webvtt_of_topics(row["topics"]) == row["webvtt"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.0, "00:00:00.000", id="zero"),
        pytest.param(8.12, "00:00:08.119", id="truncated, one millisecond short"),
        pytest.param(59.9999, "00:00:59.999", id="never rounded up to a minute"),
        pytest.param(3600.0, "01:00:00.000", id="an hour"),
        pytest.param(36_061.5, "10:01:01.500", id="ten hours"),
    ],
)
def test_timestamps(seconds, text):
    """Times are written in milliseconds, truncated."""
    assert timestamp(seconds) == text


def test_no_words_is_the_header_alone():
    """A transcript without words has captions that say nothing."""
    assert webvtt_of_topics([]) == "WEBVTT\n"


def test_one_cue_per_speaker_change_and_long_sentence():
    """A cue ends where the speaker changes, or behind a full stop once it is long."""
    long = [word("x" * 121 + " ", 0.0), word("end. ", 1.0), word("next ", 2.0)]
    text = webvtt_of_words([*long, word("yes", 3.0, speaker=1)])
    assert [line for line in text.splitlines() if line.startswith("<v")] == [
        f"<v Speaker0>{'x' * 121} end.",
        "<v Speaker0>next",
        "<v Speaker1>yes",
    ]


def test_a_short_sentence_does_not_end_a_cue():
    """Full stops within 120 characters keep the cue open."""
    assert "<v Speaker0>One. Two.\n" in webvtt_of_words([word("One. ", 0), word("Two. ", 1)])


def test_words_out_of_order_across_topics_are_refused():
    """Global start order is asserted over topic borders."""
    topics = [{"words": [word("a", 5.0)]}, {"words": [word("b", 4.0)]}]
    with pytest.raises(WordsOutOfOrderError, match="word 1 starts at 4"):
        webvtt_of_topics(topics)

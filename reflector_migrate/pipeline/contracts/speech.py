"""The steps on what is said: words of a track, all words, topics, title, summary.

Lists of words and topics are stored, and travel as a `Ref`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from reflector_migrate.pipeline.contracts.base import (
    Contract,
    Ref,
    StepContract,
    StepInput,
    semantic,
)
from reflector_migrate.pipeline.contracts.sound import Expected, in_track_order


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

    transcripts: Annotated[tuple[TranscribeTrackOutput, ...], BeforeValidator(in_track_order)]
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
    """Words and topics of the meeting; is_last_attempt: there is no further attempt."""

    words: Ref
    topics: Ref
    is_last_attempt: bool = False


class SummaryOutput(Contract):
    """summary: the long one, Markdown; short_summary: one paragraph."""

    summary: str | None = semantic(None)
    short_summary: str | None = semantic(None)


CONTRACTS = {
    "transcribe_track": StepContract(TranscribeTrackInput, TranscribeTrackOutput),
    "merge_transcripts": StepContract(MergeInput, MergeOutput),
    "detect_topics": StepContract(TopicsInput, TopicsOutput),
    "generate_title": StepContract(TitleInput, TitleOutput),
    "generate_summary": StepContract(SummaryInput, SummaryOutput),
}

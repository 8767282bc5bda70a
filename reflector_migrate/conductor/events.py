"""The data of each published event, as a model."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from reflector_migrate.model import VISIBLE_STEPS
from reflector_migrate.pipeline.contracts import EventData

PROGRESS = "PIPELINE_PROGRESS"


class Status(EventData):
    """The transcript's status changed."""

    event: ClassVar[str] = "STATUS"
    value: Literal["processing", "ended", "error"]


class Duration(EventData):
    """How long the meeting's audio is."""

    event: ClassVar[str] = "DURATION"
    duration: float = Field(ge=0, description="milliseconds, two decimals")


class Waveform(EventData):
    """Peaks of the audio; kept in the row, not published."""

    event: ClassVar[str] = "WAVEFORM"
    waveform: tuple[float, ...] = Field(description="peaks from 0 to 1")


class Transcript(EventData):
    """All words of the meeting."""

    event: ClassVar[str] = "TRANSCRIPT"
    text: str
    translation: str | None = None


class TopicWord(BaseModel):
    """A word of a topic; seconds from the meeting's start."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    text: str
    start: float
    end: float
    speaker: int = Field(description="index of the track")


class Topic(EventData):
    """One topic, as soon as it is found."""

    event: ClassVar[str] = "TOPIC"
    id: str
    title: str
    summary: str
    timestamp: float = Field(description="seconds from the meeting's start")
    duration: float | None = None
    transcript: str | None = None
    words: tuple[TopicWord, ...] = ()


class FinalTitle(EventData):
    """The meeting's title."""

    event: ClassVar[str] = "FINAL_TITLE"
    title: str


class FinalLongSummary(EventData):
    """The long summary, Markdown."""

    event: ClassVar[str] = "FINAL_LONG_SUMMARY"
    long_summary: str


class FinalShortSummary(EventData):
    """The short summary, one paragraph."""

    event: ClassVar[str] = "FINAL_SHORT_SUMMARY"
    short_summary: str


class PipelineProgress(EventData):
    """A step, or one track's part of it, changed its state; once, and again after a rerun."""

    event: ClassVar[str] = PROGRESS
    workflow_id: str
    current_step: str = Field(json_schema_extra={"enum": list(VISIBLE_STEPS)})
    step_index: int = Field(ge=1, le=len(VISIBLE_STEPS))
    total_steps: int
    step_status: Literal["pending", "in_progress", "completed", "failed"]
    track_index: int | None = Field(None, ge=0, description="from 0; of steps that run per track")
    track_total: int | None = Field(None, ge=1)
    percent: int = Field(ge=0, le=100, description="of the whole pipeline")
    id: str = Field(description="the same for the same state: a second one can be dropped")

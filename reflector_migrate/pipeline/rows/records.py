"""One frozen value per kind of row; fields are named as the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """What a SELECT gave; columns we have no field for are left out."""

    @classmethod
    def of(cls, columns: Mapping[Any, Any]) -> Self:
        """The row with these columns."""
        return cls(**{field.name: columns[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class TranscriptRow(Row):
    """A transcript; duration in milliseconds, JSON columns never None."""

    id: str
    name: str | None
    status: str | None
    locked: bool | None
    duration: float | None
    created_at: datetime
    title: str | None
    short_summary: str | None
    long_summary: str | None
    topics: Sequence[Json]
    events: Sequence[Json]
    participants: Sequence[Json]
    source_language: str
    target_language: str
    user_id: str | None
    audio_location: str
    share_mode: str
    reviewed: bool
    meeting_id: str | None
    recording_id: str | None
    zulip_message_id: int | None
    source_kind: str
    audio_deleted: bool | None
    room_id: str | None
    webvtt: str | None

    @classmethod
    def of(cls, columns: Mapping[Any, Any]) -> Self:
        """The row with these columns; NULL lists read as empty."""
        lists = {name: columns[name] or [] for name in ("topics", "events", "participants")}
        languages = {n: columns[n] or "en" for n in ("source_language", "target_language")}
        return cls(**{f.name: columns[f.name] for f in fields(cls)} | lists | languages)


@dataclass(frozen=True, slots=True)
class RecordingRow(Row):
    """A recording; track_keys None means a single file, [] means no audio."""

    id: str
    bucket_name: str
    object_key: str
    recorded_at: datetime
    status: str
    meeting_id: str | None
    track_keys: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class MeetingRow(Row):
    """A meeting; room_name is Daily's."""

    id: str
    room_name: str | None
    room_id: str | None
    start_date: datetime | None
    end_date: datetime | None
    calendar_event_id: str | None
    platform: str


@dataclass(frozen=True, slots=True)
class RoomRow(Row):
    """A room and where it sends a finished transcript."""

    id: str
    name: str
    user_id: str
    zulip_auto_post: bool
    zulip_stream: str | None
    zulip_topic: str | None
    is_shared: bool
    webhook_url: str | None
    webhook_secret: str | None
    platform: str


@dataclass(frozen=True, slots=True)
class ConsentRow(Row):
    """One participant's answer to whether the audio may be kept."""

    id: str
    meeting_id: str
    user_id: str | None
    consent_given: bool
    consent_timestamp: datetime


@dataclass(frozen=True, slots=True)
class CalendarEventRow(Row):
    """The calendar entry a meeting belongs to."""

    id: str
    room_id: str
    ics_uid: str
    title: str | None
    description: str | None
    start_time: datetime
    end_time: datetime
    attendees: Sequence[Json] | None
    location: str | None

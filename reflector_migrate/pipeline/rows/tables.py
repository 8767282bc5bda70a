"""Reflector's tables, as far as the pipeline reads or writes them.

Times come back in UTC with their zone from both databases. PostgreSQL also gets
the generated search column, whose size limit is part of the contract.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Enum,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from reflector_migrate.store.base import engine_for


class UtcTime(TypeDecorator[datetime]):
    """An instant; naive ones are taken as UTC, all come back with their zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC on the way in; SQLite would drop another zone without a word."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """With its zone on the way out."""
        return self.process_bind_param(value, dialect)


metadata = MetaData()

_json = JSON(none_as_null=True)
_jsonb = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def _id() -> Column[Any]:
    return Column("id", String, primary_key=True)


def _flag(name: str, default: bool = False) -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=text(str(default).lower()))


def _word(name: str, default: str) -> Column[Any]:
    return Column(name, String, nullable=False, server_default=default)


def _recording_kind() -> tuple[Column[Any], ...]:
    return (
        _flag("is_locked"),
        _word("room_mode", "normal"),
        _word("recording_type", "cloud"),
        _word("recording_trigger", "automatic-2nd-participant"),
    )


room = Table(
    "room",
    metadata,
    _id(),
    Column("name", String, nullable=False, unique=True),
    Column("user_id", String, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    _flag("zulip_auto_post"),
    Column("zulip_stream", String),
    Column("zulip_topic", String),
    *_recording_kind(),
    _flag("is_shared"),
    Column("webhook_url", String),
    Column("webhook_secret", String),
    Column("ics_url", Text),
    Column("ics_fetch_interval", Integer, server_default="300"),
    _flag("ics_enabled"),
    Column("ics_last_sync", UtcTime),
    Column("ics_last_etag", Text),
    Column("platform", String, nullable=False),
)

calendar_event = Table(
    "calendar_event",
    metadata,
    _id(),
    Column("room_id", ForeignKey("room.id", ondelete="CASCADE"), nullable=False),
    Column("ics_uid", Text, nullable=False),
    Column("title", Text),
    Column("description", Text),
    Column("start_time", UtcTime, nullable=False),
    Column("end_time", UtcTime, nullable=False),
    Column("attendees", _jsonb),
    Column("location", Text),
    Column("ics_raw_data", Text),
    Column("last_synced", UtcTime, nullable=False),
    _flag("is_deleted"),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("room_id", "ics_uid", name="uq_room_calendar_event"),
)

meeting = Table(
    "meeting",
    metadata,
    _id(),
    Column("room_name", String),
    Column("room_url", String),
    Column("host_room_url", String),
    Column("start_date", UtcTime),
    Column("end_date", UtcTime),
    Column("room_id", ForeignKey("room.id", ondelete="CASCADE")),
    *_recording_kind(),
    Column("num_clients", Integer, nullable=False, server_default="0"),
    _flag("is_active", default=True),
    Column("calendar_event_id", ForeignKey("calendar_event.id", ondelete="SET NULL")),
    Column("calendar_metadata", _jsonb),
    _word("platform", "whereby"),
)

meeting_consent = Table(
    "meeting_consent",
    metadata,
    _id(),
    Column("meeting_id", ForeignKey("meeting.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", String),
    Column("consent_given", Boolean, nullable=False),
    Column("consent_timestamp", UtcTime, nullable=False),
)

recording = Table(
    "recording",
    metadata,
    _id(),
    Column("bucket_name", String, nullable=False),
    Column("object_key", String, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    _word("status", "pending"),
    Column("meeting_id", String, index=True),
    Column("track_keys", _json),
)

transcript = Table(
    "transcript",
    metadata,
    _id(),
    Column("name", String),
    Column("status", String),
    Column("locked", Boolean),
    Column("duration", Float(53)),
    Column("created_at", UtcTime, index=True),
    Column("title", String),
    Column("short_summary", String),
    Column("long_summary", String),
    Column("topics", _json),
    Column("events", _json),
    Column("participants", _json),
    Column("source_language", String),
    Column("target_language", String),
    Column("user_id", String),
    _word("audio_location", "local"),
    _word("share_mode", "private"),
    _flag("reviewed"),
    Column("meeting_id", String),
    Column("recording_id", String, index=True),  # not unique, as theirs
    Column("zulip_message_id", Integer),
    Column("source_kind", Enum("room", "live", "file", name="sourcekind"), nullable=False),
    Column("audio_deleted", Boolean),
    Column("room_id", String, index=True),
    Column("webvtt", Text),
)

event.listen(
    transcript,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "ALTER TABLE transcript ADD COLUMN search_vector_en tsvector GENERATED ALWAYS AS ("
        "setweight(to_tsvector('english', coalesce(title, '')), 'A') || "
        "setweight(to_tsvector('english', coalesce(long_summary, '')), 'B') || "
        "setweight(to_tsvector('english', coalesce(webvtt, '')), 'C')) STORED"
    ).execute_if(dialect="postgresql"),
)


def create_all(url: str) -> None:
    """Create what is missing in the database at `url`; only ever for a database of our own."""
    metadata.create_all(engine_for(url))

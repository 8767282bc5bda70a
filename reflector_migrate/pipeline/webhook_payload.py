"""The body that a customer's webhook is sent, as legacy builds it from the rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reflector_migrate.pipeline.rows import CalendarEventRow, RoomRow, TranscriptRow
from reflector_migrate.pipeline.services.webhook import EVENT
from reflector_migrate.pipeline.webvtt import webvtt_of_words
from reflector_migrate.pipeline.zulip_text import link


def payload(
    transcript: TranscriptRow,
    room: RoomRow,
    calendar: CalendarEventRow | None,
    *,
    ui_base_url: str,
    event_id: str,
    at: datetime,
) -> dict[str, Any]:
    """Everything that the receiver gets; duration in milliseconds."""
    return {
        "event": EVENT,
        "event_id": event_id,
        "timestamp": at.isoformat(),
        "transcript": _transcript(transcript, ui_base_url),
        "room": {"id": room.id, "name": room.name},
        "calendar_event": _calendar(calendar) if calendar else {},
    }


def encoded(body: Mapping[str, Any]) -> bytes:
    """Compact JSON: the bytes that are signed and sent."""
    return json.dumps(body, separators=(",", ":")).encode()


def _transcript(row: TranscriptRow, ui_base_url: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "room_id": row.room_id,
        "created_at": row.created_at.isoformat(),
        "duration": row.duration,
        "title": row.title,
        "short_summary": row.short_summary,
        "long_summary": row.long_summary,
        "webvtt": row.webvtt,
        "topics": [_topic(topic) for topic in row.topics],
        "participants": [{k: p[k] for k in ("id", "name", "speaker")} for p in row.participants],
        "source_language": row.source_language,
        "target_language": row.target_language,
        "status": row.status,
        "frontend_url": link(ui_base_url, row.id),
    }


def _topic(topic: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: topic[name] for name in ("title", "summary", "timestamp", "duration")}
    return told | {"webvtt": webvtt_of_words(topic["words"])}


def _calendar(event: CalendarEventRow) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": event.id,
        "ics_uid": event.ics_uid,
        "title": event.title,
        "start_time": event.start_time.isoformat(),
        "end_time": event.end_time.isoformat(),
    }
    more = {name: getattr(event, name) for name in ("description", "location", "attendees")}
    return told | {name: value for name, value in more.items() if value}

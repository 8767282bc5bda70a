"""Tells the room's webhook."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import WebhookInput, WebhookOutput
from reflector_migrate.pipeline.heartbeat_pool import patiently
from reflector_migrate.pipeline.rows import RoomRow, TranscriptRow
from reflector_migrate.pipeline.services.webhook import Delivery, Told, headers_for, is_taken
from reflector_migrate.pipeline.topics import NAMES
from reflector_migrate.pipeline.webhook_payload import encoded, payload
from reflector_migrate.store.canonical_json import sha256_of


def send_webhook(task: WebhookInput, ctx: StepContext) -> WebhookOutput:
    """One delivery, signed where the room has a secret, under the run's own event id.

    A 4xx is the receiver's last word, until a person has the run go again: not sent, not a
    failure. Anything else but a 2xx raises TransientStepError. The payload is built from the
    rows at every attempt.
    """
    transcript = ctx.rows.get_transcript(task.transcript_id)
    room = ctx.rows.get_room(task.room_id or transcript.room_id)
    if transcript.source_kind != "room" or room is None or not room.webhook_url:
        return WebhookOutput(sent=False, reason="no webhook")
    delivery = _delivery(transcript, room, room.webhook_url, task.attempt, ctx)
    status = patiently(lambda: ctx.effects.send_webhook(delivery), ctx.heartbeat)
    if status is None:
        return WebhookOutput(sent=True, event_id=delivery.event_id, reason="recorded, not sent")
    return WebhookOutput(
        sent=is_taken(status),
        status_code=status,
        event_id=delivery.event_id,
        reason="" if is_taken(status) else "the receiver refused it",
    )


def event_id(run_id: str, after: str = "") -> str:
    """32 hex digits, the same at every attempt; another after an event with another content."""
    return uuid.uuid5(NAMES, "/".join([run_id, "webhook", *([after] if after else ())])).hex


def _identified(run_id: str, body: dict[str, Any], last: Told | None) -> Told:
    """The last event if this is its content, else the next: an id never has two contents."""
    known = (last and last.event_id) or event_id(run_id)
    digest = _digest(body, known)
    if last is None or last.digest == digest:
        return Told(digest, known)
    following = event_id(run_id, known)
    return Told(_digest(body, following), following)


def _digest(body: dict[str, Any], identity: str) -> str:
    return sha256_of({**body, "event_id": identity, "timestamp": ""})


def _delivery(
    transcript: TranscriptRow, room: RoomRow, url: str, attempt: int, ctx: StepContext
) -> Delivery:
    now = datetime.now(UTC)
    meeting = ctx.rows.get_meeting(transcript.meeting_id)
    calendar = ctx.rows.get_calendar_event(meeting.calendar_event_id if meeting else None)
    body = payload(
        transcript,
        room,
        calendar,
        ui_base_url=ctx.settings.reflector.ui_base_url,
        event_id="",
        at=now,
    )
    digest, body["event_id"] = _identified(ctx.run.run_id, body, ctx.effects.last_told())
    raw, unix_s = encoded(body), int(now.timestamp())
    return Delivery(
        url=url,
        headers=headers_for(raw, attempt=attempt, unix_s=unix_s, secret=room.webhook_secret),
        body=raw,
        event_id=body["event_id"],
        digest=digest,
    )

"""What a deployment did to the world, as far as its buckets, rows and receivers show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reflector_migrate.harness import Harness
from reflector_migrate.model import UNSEEN_FILES, UNSEEN_WEBHOOK, UNSEEN_ZULIP, Effect
from reflector_migrate.model.primary_task import PIPELINE
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.rows import RoomRow, Rows, TranscriptRow
from reflector_migrate.pipeline.services.storage import Storage, address
from reflector_migrate.pipeline.services.webhook import EVENT
from reflector_migrate.pipeline.webhook_payload import payload
from reflector_migrate.pipeline.zulip_text import content
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.calls import calls_of, webhooks_sent, zulip_sent
from reflector_migrate.shadow.observe.deployment import Deployment
from reflector_migrate.shadow.observe.quiescence import CONSENT, DELIVERY, WEBHOOK, ZULIP

Json = Mapping[str, Any]
AUDIO, DRAWING = "audio.mp3", "audio.json"


def effects_of(
    harness: Harness,
    place: Deployment,
    rows: Rows,
    row: TranscriptRow,
    spans: Sequence[Json],
    zulip: Sequence[Json] | None,
    webhooks: Sequence[Json] | None,
    earlier_message: int | None = None,
) -> tuple[tuple[Effect, ...], tuple[str, ...]]:
    """Effects, and a note for each kind that was derived instead of seen.

    `earlier_message` is the Zulip message that the row named before this run.
    """
    storage = Storage(harness.connections.s3, UsageMeter(), writable=frozenset())
    effects = [*_stored(storage, place, row), *_local(place, row)]
    notes = [] if place.has_files_here else [UNSEEN_FILES]
    if place.is_recorded:
        return tuple(effects), tuple(notes)
    effects += _deleted(storage, place, rows, row)
    room = rows.get_room(row.room_id)
    if zulip is not None:
        effects += _zulip_seen(row, zulip)
    elif (sent := _zulip_sent(spans, row)) is not None:
        effects += sent
    else:
        effects += _zulip_derived(harness.settings, row, room, spans, earlier_message)
        is_known = is_zulip_known(row, room, spans, earlier_message)
        notes.append("zulip: derived from the row, not seen" if is_known else UNSEEN_ZULIP)
    if webhooks is not None:
        effects += _webhooks_seen(row, webhooks, since=_begun(spans))
    elif (delivered := _webhooks_sent(spans)) is not None:
        effects += delivered
    else:
        effects += _webhook_derived(harness.settings, rows, row, room, spans)
        derived = "webhook: derived from rows and spans, not seen"
        notes.append(derived if is_webhook_known(room, spans) else UNSEEN_WEBHOOK)
    return tuple(effects), tuple(notes)


def _zulip_sent(spans: Sequence[Json], row: TranscriptRow) -> list[Effect] | None:
    calls = calls_of(spans, ZULIP, "zulip")
    sent = None if calls is None else zulip_sent(calls, row.zulip_message_id)
    return None if sent is None else list(sent)


def _webhooks_sent(spans: Sequence[Json]) -> list[Effect] | None:
    calls = calls_of(spans, DELIVERY, "webhook")
    return None if calls is None else webhooks_sent(calls)


def _stored(storage: Storage, place: Deployment, row: TranscriptRow) -> Iterator[Effect]:
    head = address(place.media_bucket, "")
    for folder in (f"{row.id}/", f"file_pipeline/{row.id}/"):
        for found in storage.list(head + folder):
            key = found.address.removeprefix(head)
            yield Effect(kind="s3_put", key=key, size_bytes=found.size_bytes)


def _local(place: Deployment, row: TranscriptRow) -> Iterator[Effect]:
    """The files of the contract in the transcript's folder, where this host has it.

    For the drawing, whether it shows the waveform of the row's event; nothing for one that
    this user may not read.
    """
    for name in (AUDIO, DRAWING):
        path = place.data_dir / row.id / name
        size = _size(path)
        if size is not None:
            drawn = _drawn(path, row) if name == DRAWING else None
            told = {"drawn": drawn} if drawn else {}
            yield Effect(kind="local_put", key=name, payload=told, size_bytes=size)


def _size(path: Path) -> int | None:
    """Of a file that is there for this user to see."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _drawn(path: Path, row: TranscriptRow) -> str | None:
    told = [e["data"].get("waveform") for e in row.events if e["event"] == "WAVEFORM"]
    try:
        drawn = json.loads(path.read_text("utf-8"))
    except OSError:
        return None
    except ValueError:
        return "nothing"
    return "the row's waveform" if [drawn] == told[-1:] else "another waveform"


def _deleted(
    storage: Storage, place: Deployment, rows: Rows, row: TranscriptRow
) -> Iterator[Effect]:
    """Raw tracks that are gone; the mixed recording too where the row says that it was deleted."""
    recording = rows.get_recording(row.recording_id or "")
    if recording is None:
        return
    for key in recording.track_keys or ():
        where = address(recording.bucket_name, key)
        if all(found.address != where for found in storage.list(where)):
            payload = {"bucket": recording.bucket_name}
            yield Effect(kind="s3_delete", key=key, payload=payload)
    if row.audio_deleted:
        key = f"{row.id}/{AUDIO}"
        if not storage.list(address(place.media_bucket, key)):
            yield Effect(kind="s3_delete", key=key)
        if not (place.data_dir / row.id / AUDIO).exists():
            yield Effect(kind="local_delete", key=AUDIO)


def _zulip_seen(row: TranscriptRow, messages: Sequence[Json]) -> Iterator[Effect]:
    for message in messages:
        text = str(message.get("content", ""))
        if row.id not in text:
            continue
        topic = str(message.get("subject", ""))
        at = datetime.fromtimestamp(message["timestamp"], UTC) if "timestamp" in message else None
        if message.get("edits"):
            told: dict[str, Any] = {"message_id": message.get("id")}
            kind = "zulip_update"
        else:
            told = {"type": "stream", "to": message.get("display_recipient")}
            kind = "zulip_message"
        told |= {"topic": topic, "content": text}
        yield Effect(kind=kind, key=topic, payload=told, at=at)


def _zulip_derived(
    settings: Settings,
    row: TranscriptRow,
    room: RoomRow | None,
    spans: Sequence[Json],
    earlier: int | None,
) -> Iterator[Effect]:
    """Posted where the row has a new message's id, changed where it has the earlier one's.

    The text follows from the row. A posting task that failed did neither; without
    spans the row alone decides.
    """
    if row.zulip_message_id is None or room is None or not room.zulip_auto_post:
        return
    if _ends(spans, ZULIP) - {"SUCCESS"}:
        return
    topic = room.zulip_topic or ""
    told: dict[str, Any] = {"topic": topic, "content": content(row, settings.reflector.ui_base_url)}
    if row.zulip_message_id == earlier:
        yield Effect(kind="zulip_update", key=topic, payload={"message_id": earlier, **told})
    else:
        told = {"type": "stream", "to": room.zulip_stream, **told}
        yield Effect(kind="zulip_message", key=topic, payload=told)


def is_zulip_known(
    row: TranscriptRow, room: RoomRow | None, spans: Sequence[Json], earlier: int | None
) -> bool:
    """Whether row or spans say if a message was posted; an unchanged id alone says neither."""
    if room is None or not room.zulip_auto_post or row.zulip_message_id not in (None, earlier):
        return True
    return _has_stopped(spans) or bool(_ends(spans, ZULIP))


def is_webhook_known(room: RoomRow | None, spans: Sequence[Json]) -> bool:
    """Whether the spans say if a delivery was made: its task's, or of a chain that stopped."""
    if room is None or not room.webhook_url:
        return True
    return _has_stopped(spans) or bool(_ends(spans, DELIVERY))


def _has_stopped(spans: Sequence[Json]) -> bool:
    """Whether the chain ended before its end, so that what follows never ran."""
    stopping = (PIPELINE, CONSENT, ZULIP, WEBHOOK)
    return any("FAILURE" in _ends(spans, task) for task in stopping)


def _ends(spans: Sequence[Json], task: str) -> set[str]:
    """The states in which a task of that name ended."""
    return {str(span["state"]) for span in spans if str(span["task"]).endswith(task)}


def _webhooks_seen(
    row: TranscriptRow, deliveries: Sequence[Json], since: float
) -> Iterator[Effect]:
    """One effect for each event id: a delivery tried again is the same one."""
    latest: dict[str, Json] = {}
    for delivery in deliveries:
        body = _json(delivery.get("body"))
        is_ours = body.get("transcript", {}).get("id") == row.id
        if is_ours and float(delivery.get("time", since)) >= since:
            latest[str(body.get("event_id"))] = delivery
    for delivery in latest.values():
        text = str(delivery["body"])
        raw = text.encode()
        yield Effect(
            kind="webhook",
            key=EVENT,
            payload={"headers": delivery.get("headers", {}), "body": text},
            sha256=hashlib.sha256(raw).hexdigest(),
            size_bytes=len(raw),
            at=datetime.fromtimestamp(delivery["time"], UTC) if "time" in delivery else None,
        )


def _webhook_derived(
    settings: Settings,
    rows: Rows,
    row: TranscriptRow,
    room: RoomRow | None,
    spans: Sequence[Json],
) -> Iterator[Effect]:
    """A delivery's task that succeeded has sent what follows from the rows."""
    sent = [s for s in spans if str(s["task"]).endswith(DELIVERY) and s["state"] == "SUCCESS"]
    if not sent or room is None or not room.webhook_url:
        return
    meeting = rows.get_meeting(row.meeting_id)
    body = payload(
        row,
        room,
        rows.get_calendar_event(meeting.calendar_event_id if meeting else None),
        ui_base_url=settings.reflector.ui_base_url,
        event_id="unknown",
        at=datetime.fromtimestamp(sent[-1]["started"], UTC),
    )
    yield Effect(kind="webhook", key=EVENT, payload={"body": json.dumps(body)})


def _begun(spans: Sequence[Json]) -> float:
    return min((s["started"] for s in spans if s.get("started")), default=0.0)


def _json(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

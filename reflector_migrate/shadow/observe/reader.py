"""Reads what a deployment's pipeline left behind into an observation; changes nothing.

The same code reads both sides, so that a difference is one of the sides and not
of two readers.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from reflector_migrate.errors import UnreadableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import (
    UNREADABLE,
    Effect,
    Engine,
    Event,
    Observation,
    Outputs,
    Participant,
    Role,
    Topic,
)
from reflector_migrate.pipeline.rows import RecordingRow, Rows, TranscriptRow
from reflector_migrate.shadow.observe.deployment import Deployment, candidate_of, primary_of
from reflector_migrate.shadow.observe.derived import with_derived
from reflector_migrate.shadow.observe.effects_seen import effects_of
from reflector_migrate.shadow.observe.newer import newer_parts
from reflector_migrate.shadow.observe.timings import steps_of
from reflector_migrate.store.documents import field_of

__all__ = ["Deployment", "candidate_of", "observe", "primary_of"]

Json = Mapping[str, Any]
M = TypeVar("M", Topic, Participant)

STATUS: Mapping[str | None, Literal["completed", "failed", "running"]] = {
    "ended": "completed",
    "error": "failed",
}
LISTS = ("topics", "events", "participants")


def observe(
    harness: Harness,
    place: Deployment,
    recording_id: str,
    *,
    role: Role = Role.PRIMARY,
    engine: Engine = Engine.CELERY,
    run_id: str = "",
    spans: Sequence[Json] = (),
    zulip: Sequence[Json] | None = None,
    webhooks: Sequence[Json] | None = None,
    bus: Sequence[Json] = (),
    earlier_message: int | None = None,
) -> Observation:
    """What stands in `place` about a recording.

    `spans` are the plugin's messages about its tasks; `zulip` and `webhooks` what the
    receivers saw (None: unknown, and what was sent is derived); `bus` messages
    {channel, message} of the WebSocket bus; `earlier_message` the Zulip message that the
    row named before this run. Status is `missing` when there is no row, or one that is not
    what it must be: the error then names the field.
    Raises TransientStepError when database or S3 cannot be read.
    """
    rows = Rows.at(place.database_url)
    row = rows.transcript_of(recording_id)
    known: dict[str, Any] = {
        "recording": recording_id, "run_id": run_id, "role": role, "engine": engine,
    }  # fmt: skip
    if row is None:
        return Observation(**known, status="missing", error="no transcript of it")
    try:
        _require_lists(row)
        sent = effects_of(harness, place, rows, row, spans, zulip, webhooks, earlier_message)
        return _seen(harness, place, rows, row, spans, bus, sent, known)
    except UnreadableError as error:
        why = error.message
    except ValidationError as invalid:
        why = f"{invalid.title}: {field_of(invalid)}"
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # never their texts
        frame = traceback.extract_tb(error.__traceback__)[-1]
        why = f"{type(error).__name__} in {frame.name}"
    return Observation(**known, status="missing", error=f"{UNREADABLE}its row: {why}")


def _seen(
    harness: Harness,
    place: Deployment,
    rows: Rows,
    row: TranscriptRow,
    spans: Sequence[Json],
    bus: Sequence[Json],
    sent: tuple[tuple[Effect, ...], tuple[str, ...]],
    known: dict[str, Any],
) -> Observation:
    (seen, notes), recording = sent, rows.get_recording(known["recording"])
    started, ended = _from_to(spans)
    seen_there = Observation(
        **known,
        build="unknown",
        started=started,
        ended=ended,
        status=STATUS.get(row.status, "running"),
        error=_error(row, spans),
        language=row.source_language,
        track_count=_track_count(row, recording),
        steps=steps_of(spans, harness.steps),
        outputs=outputs_of(row, place),
        events=(*map(_stored, row.events), *map(_told, bus)),
        effects=seen,
        notes=(*notes, *_not_compared(row, spans, place, known["role"])),
    )
    return with_derived(seen_there)


def _not_compared(
    row: TranscriptRow, spans: Sequence[Json], place: Deployment, role: Role
) -> Iterator[str]:
    """What a newer Reflector has and we do not compare, in a note each."""
    if role is not Role.CANDIDATE:
        for part in newer_parts(place.database_url, row.events, spans):
            yield f"not compared, of a newer Reflector: {part}"


def _require_lists(row: TranscriptRow) -> None:
    """Raise UnreadableError with the place in the row that is not what it must be."""
    for name in LISTS:
        found = getattr(row, name)
        if not isinstance(found, list):
            raise UnreadableError(f"{name}: not a list")
        for number, one in enumerate(found):
            if not isinstance(one, dict):
                raise UnreadableError(f"{name}.{number}: not an object")
    for number, event in enumerate(row.events):
        if not isinstance(event.get("event"), str):
            raise UnreadableError(f"events.{number}.event: not a text")
        if not isinstance(event.get("data") or {}, dict):
            raise UnreadableError(f"events.{number}.data: not an object")


def outputs_of(row: TranscriptRow, place: Deployment) -> Outputs:
    """Everything a reader of the transcript could see. Words are those of the topics."""
    topics = _valid(Topic, "topics", row.topics)
    return Outputs(
        participants=_valid(Participant, "participants", row.participants),
        duration_ms=row.duration,
        waveform=_waveform(row, place),
        words=tuple(word for topic in topics for word in topic.words),
        topics=topics,
        title=row.title,
        short_summary=row.short_summary,
        long_summary=row.long_summary,
        webvtt=row.webvtt,
        row=_row(row),
    )


def _valid(model: type[M], name: str, values: Sequence[Json]) -> tuple[M, ...]:
    found = []
    for number, value in enumerate(values):
        try:
            found.append(model.model_validate(value))
        except ValidationError as invalid:
            raise UnreadableError(f"{name}.{number}.{field_of(invalid)}") from None
    return tuple(found)


def _row(row: TranscriptRow) -> dict[str, Any]:
    """The row's columns, JSON-safe, without the lists that are read above."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(row).items()
        if name not in LISTS
    }


def _waveform(row: TranscriptRow, place: Deployment) -> tuple[float, ...] | None:
    """The event's, which every host can read; else the file's, where this host has it."""
    for number, event in enumerate(row.events):
        if event["event"] == "WAVEFORM":
            found = (event.get("data") or {}).get("waveform")
            if not isinstance(found, list):
                raise UnreadableError(f"events.{number}.data.waveform: not a list")
            return tuple(found)
    path = place.data_dir / row.id / "audio.json"
    try:
        return tuple(json.loads(path.read_text("utf-8"))) if path.is_file() else None
    except (OSError, ValueError):
        return None


def _stored(event: Json) -> Event:
    return Event(event=event["event"], data=event.get("data") or {})


def _told(message: Json) -> Event:
    body = message["message"]
    at = datetime.fromtimestamp(message["t"], UTC) if "t" in message else None
    data = body.get("data") or {}
    return Event(event=body["event"], data=data, channel=message["channel"], at=at, stored=False)


def _track_count(row: TranscriptRow, recording: RecordingRow | None) -> int | None:
    if recording is None or recording.track_keys is None:
        return len(row.participants) or None
    return sum("cam-audio" in key for key in recording.track_keys)


def _error(row: TranscriptRow, spans: Sequence[Json]) -> str | None:
    failed = [str(s["task"]).rsplit(".", 1)[-1] for s in spans if s.get("state") == "FAILURE"]
    if row.status != "error" and not failed:
        return None
    return f"failed: {', '.join(failed)}" if failed else "the row says error"


def _from_to(spans: Sequence[Json]) -> tuple[datetime | None, datetime | None]:
    times = [(s["started"], s["started"] + s["duration_s"]) for s in spans if s.get("started")]
    if not times:
        return None, None
    first, last = min(t[0] for t in times), max(t[1] for t in times)
    return datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)

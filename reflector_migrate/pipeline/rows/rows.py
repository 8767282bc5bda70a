"""Reads and writes a deployment's rows as its pipeline does: whole JSON columns, in transactions.

Every write may be made twice: events are kept once by their key, topics and
participants by their id.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, Table, exists, or_, select, update

from reflector_migrate.errors import TerminalStepError
from reflector_migrate.pipeline.rows import tables
from reflector_migrate.pipeline.rows.records import (
    CalendarEventRow,
    ConsentRow,
    MeetingRow,
    RecordingRow,
    RoomRow,
    Row,
    TranscriptRow,
)
from reflector_migrate.pipeline.rows.transactions import reading, write
from reflector_migrate.pipeline.webvtt import webvtt_of_topics
from reflector_migrate.store.base import engine_for
from reflector_migrate.store.upsert import insert_once

R = TypeVar("R", bound=Row)
T = TypeVar("T")
Json = Mapping[str, Any]


class Rows:
    """The rows of one deployment's database. Make it in the process that uses it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def at(cls, url: str) -> Rows:
        """The rows in the database at `url`, through this process's own engine."""
        return cls(engine_for(url))

    # reading

    def get_transcript(self, transcript_id: str) -> TranscriptRow:
        """The transcript; raises TerminalStepError when there is none."""
        found = self.find_transcript(transcript_id)
        if found is None:
            raise TerminalStepError(f"transcript {transcript_id} does not exist")
        return found

    def find_transcript(self, transcript_id: str) -> TranscriptRow | None:
        """The transcript, if there is one."""
        table = tables.transcript
        return self._one(TranscriptRow, select(table).where(table.c.id == transcript_id))

    def owner_of(self, transcript_id: str) -> str | None:
        """The transcript's user, without reading the long columns beside it."""
        table = tables.transcript
        with reading(self.engine) as connection:
            query = select(table.c.user_id).where(table.c.id == transcript_id)
            owner: str | None = connection.scalar(query)
            return owner

    def may_not_be_kept(self, transcript_ids: Sequence[str]) -> frozenset[str]:
        """Those whose audio, recording or row was deleted, or whose meeting refused consent.

        A database without any transcript is another one, and says nothing of these.
        """
        table, recording, consent = tables.transcript, tables.recording, tables.meeting_consent
        refused = exists().where(
            consent.c.meeting_id == recording.c.meeting_id, consent.c.consent_given.is_(False)
        )
        may_be_kept = (
            select(table.c.id)
            .select_from(table.outerjoin(recording, recording.c.id == table.c.recording_id))
            .where(
                table.c.id.in_(transcript_ids),
                table.c.audio_deleted.isnot(True),
                or_(table.c.recording_id.is_(None), recording.c.id.isnot(None)),
                ~refused,
            )
        )
        with reading(self.engine) as connection:
            if connection.scalar(select(table.c.id).limit(1)) is None:
                return frozenset()
            return frozenset(transcript_ids) - set(connection.scalars(may_be_kept))

    def newest_events(self, count: int) -> tuple[Json, ...]:
        """The events of the newest transcripts that have ended, whatever else is wrong there."""
        table = tables.transcript
        query = select(table.c.events).where(table.c.status == "ended")
        with reading(self.engine) as connection:
            newest = query.order_by(table.c.created_at.desc()).limit(count)
            stored = connection.scalars(newest).all()
        lists = (events for events in stored if isinstance(events, list))
        return tuple(e for events in lists for e in events if isinstance(e, dict) and "event" in e)

    def transcript_of(self, recording_id: str) -> TranscriptRow | None:
        """The recording's first transcript, if it has one."""
        table = tables.transcript
        query = select(table).where(table.c.recording_id == recording_id)
        return self._one(TranscriptRow, query.order_by(table.c.created_at))

    def get_recording(self, recording_id: str) -> RecordingRow | None:
        """The recording, if it was registered."""
        table = tables.recording
        return self._one(RecordingRow, select(table).where(table.c.id == recording_id))

    def known_recordings(self, recording_ids: Iterable[str]) -> frozenset[str]:
        """Which of these were registered."""
        table = tables.recording
        query = select(table.c.id).where(table.c.id.in_(list(recording_ids)))
        with reading(self.engine) as connection:
            return frozenset(connection.scalars(query))

    def get_meeting(self, meeting_id: str | None) -> MeetingRow | None:
        """The meeting, if there is one."""
        table = tables.meeting
        return self._one(MeetingRow, select(table).where(table.c.id == meeting_id))

    def meeting_in(self, daily_room_name: str) -> MeetingRow | None:
        """The meeting held in this room of Daily's, the one that ended last."""
        table = tables.meeting
        query = select(table).where(table.c.room_name == daily_room_name)
        return self._one(MeetingRow, query.order_by(table.c.end_date.desc()))

    def get_room(self, room_id: str | None) -> RoomRow | None:
        """The room, if there is one."""
        return self._one(RoomRow, select(tables.room).where(tables.room.c.id == room_id))

    def room_named(self, name: str) -> RoomRow | None:
        """The room of this name, if there is one."""
        return self._one(RoomRow, select(tables.room).where(tables.room.c.name == name))

    def consents(self, meeting_id: str | None) -> tuple[ConsentRow, ...]:
        """What the meeting's participants answered."""
        table = tables.meeting_consent
        query = select(table).where(table.c.meeting_id == meeting_id).order_by(table.c.id)
        with reading(self.engine) as connection:
            return tuple(ConsentRow.of(row) for row in connection.execute(query).mappings())

    def get_calendar_event(self, event_id: str | None) -> CalendarEventRow | None:
        """The calendar entry, if there is one."""
        table = tables.calendar_event
        return self._one(CalendarEventRow, select(table).where(table.c.id == event_id))

    # writing a transcript

    def reset(self, transcript_id: str) -> None:
        """Forget events, topics, participants and captions; title and summaries stay."""
        empty: dict[str, Any] = {"events": [], "topics": [], "participants": []}
        self.update_transcript(transcript_id, **empty, webvtt=webvtt_of_topics([]))

    def set_status(self, transcript_id: str, status: str) -> bool:
        """Set the column and keep a STATUS event; False when the event was there already."""
        return self.append_event(transcript_id, "STATUS", {"value": status}, status=status)

    def append_event(self, transcript_id: str, event: str, data: Json, **columns: Any) -> bool:
        """Keep an event, and set columns with it, in one transaction.

        An event whose key is there already (TOPIC by id, STATUS by value, others by
        type) takes the new data in its old place, and False comes back.
        """

        def change(row: TranscriptRow) -> tuple[dict[str, Any], bool]:
            new = {"event": event, "data": dict(data)}
            events, is_new = _put(row.events, new, _event_key)
            return {"events": events, **columns}, is_new

        return self.change(transcript_id, change)

    def set_title(self, transcript_id: str, title: str | None) -> str | None:
        """Set the title unless it has one, and give back the one that stands."""

        def change(row: TranscriptRow) -> tuple[dict[str, Any], str | None]:
            kept = row.title or title
            return {"title": kept}, kept

        return self.change(transcript_id, change)

    def add_topic(self, transcript_id: str, topic: Json, told: Json | None = None) -> None:
        """Store a topic (by id) and rewrite the captions; raises WordsOutOfOrderError.

        `told` is the data of its TOPIC event, kept with it: a row this long is written once.
        """

        def change(row: TranscriptRow) -> tuple[dict[str, Any], None]:
            topics, _ = _put(row.topics, dict(topic), lambda kept: kept["id"])
            columns: dict[str, Any] = {"topics": topics, "webvtt": webvtt_of_topics(topics)}
            if told is not None:
                event = {"event": "TOPIC", "data": dict(told)}
                columns["events"], _ = _put(row.events, event, _event_key)
            return columns, None

        self.change(transcript_id, change)

    def upsert_participants(self, transcript_id: str, participants: Sequence[Json]) -> None:
        """Keep participants {id, speaker, name, user_id}, each once by id, in the order given."""

        def change(row: TranscriptRow) -> tuple[dict[str, Any], None]:
            kept: Sequence[Json] = row.participants
            for participant in participants:
                kept, _ = _put(kept, dict(participant), lambda one: one["id"])
            return {"participants": list(kept)}, None

        self.change(transcript_id, change)

    def update_transcript(self, transcript_id: str, **columns: Any) -> None:
        """Set columns of a transcript; raises TerminalStepError when there is none."""
        self.change(transcript_id, lambda _row: (columns, None))

    def change(
        self, transcript_id: str, change: Callable[[TranscriptRow], tuple[dict[str, Any], T]]
    ) -> T:
        """Set the columns that `change` makes of the row as it stands; its answer.

        In one transaction. Raises TerminalStepError when there is no such transcript.
        """
        table = tables.transcript
        here = table.c.id == transcript_id

        def work(connection: Connection) -> T:
            query = select(table).where(here).with_for_update()
            row = connection.execute(query).mappings().first()
            if row is None:
                raise TerminalStepError(f"transcript {transcript_id} does not exist")
            columns, answer = change(TranscriptRow.of(row))
            if columns:
                connection.execute(update(table).where(here).values(**columns))
            return answer

        return write(self.engine, work)

    # new rows: each is left alone, and False comes back, when it is there already

    def insert_transcript(self, **columns: Any) -> bool:
        """A transcript as the pipeline's door makes it: idle, nameless, en to en, public."""
        defaults: dict[str, Any] = {
            "id": str(uuid.uuid4()), "name": "", "status": "idle", "locked": False, "duration": 0.0,
            "created_at": datetime.now(UTC), "topics": [], "events": [], "participants": [],
            "source_language": "en", "target_language": "en", "share_mode": "public",
            "source_kind": "room",
        }  # fmt: skip
        return self._insert(tables.transcript, defaults | columns)

    def insert_recording(self, **columns: Any) -> bool:
        """A recording; status pending, where it stays for ever."""
        return self._insert(tables.recording, columns)

    def insert_meeting(self, **columns: Any) -> bool:
        """A meeting of Daily's."""
        return self._insert(tables.meeting, {"platform": "daily"} | columns)

    def insert_room(self, **columns: Any) -> bool:
        """A room; Zulip's stream and topic are empty, never NULL."""
        defaults = {"created_at": datetime.now(UTC), "zulip_stream": "", "zulip_topic": ""}
        return self._insert(tables.room, defaults | {"platform": "daily"} | columns)

    def insert_consent(self, **columns: Any) -> bool:
        """A participant's answer."""
        defaults = {"id": str(uuid.uuid4()), "consent_timestamp": datetime.now(UTC)}
        return self._insert(tables.meeting_consent, defaults | columns)

    def _insert(self, table: Table, columns: Mapping[str, Any]) -> bool:
        return write(self.engine, lambda connection: insert_once(connection, table, **columns))

    def _one(self, kind: type[R], query: Select[Any]) -> R | None:
        """The first row, by the columns that we use alone: others may be missing or forbidden."""
        used = [query.selected_columns[field.name] for field in fields(kind)]
        with reading(self.engine) as connection:
            row = connection.execute(query.with_only_columns(*used).limit(1)).mappings().first()
        return kind.of(row) if row is not None else None


def _event_key(kept: Json) -> tuple[str, Any]:
    by = {"TOPIC": "id", "STATUS": "value"}.get(kept["event"])
    return kept["event"], kept["data"].get(by) if by else None


def _put(kept: Sequence[Json], new: Json, key: Callable[[Json], Any]) -> tuple[list[Json], bool]:
    """`kept` with `new` in the place of what has its key, else at the end."""
    wanted = key(new)
    replaced = [new if key(one) == wanted else one for one in kept]
    is_new = all(key(one) != wanted for one in kept)
    return ([*replaced, new] if is_new else replaced), is_new

"""Rows on both databases: every write may come twice, and two writers lose nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy

from reflector_migrate.errors import InputError, OutageError, TerminalStepError
from reflector_migrate.pipeline.rows import (
    Rows,
    create_all,
    metadata,
    restore,
    snapshot,
    wipe,
    write_mark,
)
from reflector_migrate.pipeline.rows.tables import calendar_event
from reflector_migrate.pipeline.rows.transactions import write
from reflector_migrate.store.base import engine_for
from reflector_migrate.store.upsert import insert_once

pytestmark = pytest.mark.heavy

RUNS = Path(__file__).parent.parent / "fixtures" / "runs"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.heavy)])
def url(request, tmp_path):
    """An empty database with the tables in it."""
    is_postgres = request.param == "postgresql"
    sqlite = f"sqlite:///{tmp_path / 'rows.db'}"
    url = request.getfixturevalue("postgres_url") if is_postgres else sqlite
    write_mark(url)
    create_all(url)
    return url


@pytest.fixture
def rows(url):
    """A room, a meeting, a recording and its transcript `t`."""
    rows = Rows.at(url)
    rows.insert_room(id="room", name="standup", user_id="alice")
    event = {"id": "cal", "room_id": "room", "ics_uid": "uid", "start_time": NOON, "end_time": NOON}
    event |= dict.fromkeys(("created_at", "updated_at", "last_synced"), NOON)
    write(rows.engine, lambda connection: insert_once(connection, calendar_event, **event))
    rows.insert_meeting(
        id="m", room_name="standup-1", room_id="room", end_date=NOON, calendar_event_id="cal"
    )
    rows.insert_consent(id="c", meeting_id="m", consent_given=False)
    rows.insert_recording(
        id="rec", bucket_name="b", object_key="o", recorded_at=NOON, meeting_id="m", track_keys=[]
    )
    rows.insert_transcript(id="t", recording_id="rec", meeting_id="m", room_id="room")
    return rows


def kept(rows):
    """Names of the events in the row."""
    return [event["event"] for event in rows.get_transcript("t").events]


def topic(identity, start):
    """A topic of one word."""
    word = {"text": identity, "start": start, "end": start + 1, "speaker": 0}
    return {"id": identity, "title": identity, "timestamp": start, "words": [word]}


def test_a_new_transcript_is_what_the_pipelines_door_makes(rows):
    """Idle, nameless, en to en, public, of a room, with empty lists."""
    row = rows.get_transcript("t")
    assert (row.status, row.name, row.source_language, row.target_language) == (
        "idle", "", "en", "en",
    )  # fmt: skip
    assert (row.share_mode, row.source_kind, row.audio_location) == ("public", "room", "local")
    assert (row.topics, row.events, row.participants) == ([], [], [])


def test_an_insert_that_comes_twice_keeps_the_first(rows):
    """A redelivered task cannot overwrite a row."""
    assert rows.insert_room(id="room", name="other", user_id="bob") is False
    assert rows.get_room("room").name == "standup"


@pytest.mark.parametrize(
    ("events", "left"),
    [
        pytest.param([("DURATION", {"duration": 1})] * 2, ["DURATION"], id="singleton"),
        pytest.param(
            [("TOPIC", {"id": "a"}), ("TOPIC", {"id": "b"}), ("TOPIC", {"id": "a"})],
            ["TOPIC", "TOPIC"],
            id="topics by id",
        ),
        pytest.param(
            [("STATUS", {"value": "processing"}), ("STATUS", {"value": "ended"})] * 2,
            ["STATUS", "STATUS"],
            id="status by value",
        ),
    ],
)
def test_events_are_kept_once_by_their_key(rows, events, left):
    """A step that runs twice leaves the events of one run."""
    for name, data in events:
        rows.append_event("t", name, data)
    assert kept(rows) == left


def test_an_event_again_has_its_newest_data_in_its_old_place(rows):
    """What the row says last is true, and the order stays."""
    assert rows.append_event("t", "DURATION", {"duration": 1.0}, duration=1.0)
    rows.append_event("t", "WAVEFORM", {"waveform": []})
    assert not rows.append_event("t", "DURATION", {"duration": 2.0}, duration=2.0)
    row = rows.get_transcript("t")
    assert row.events[0] == {"event": "DURATION", "data": {"duration": 2.0}}
    assert (row.duration, kept(rows)) == (2.0, ["DURATION", "WAVEFORM"])


def test_reset_keeps_title_and_summaries(rows):
    """Exactly what the real one forgets is forgotten."""
    rows.set_title("t", "Kept")
    rows.update_transcript("t", short_summary="kept", zulip_message_id=7, duration=3.0)
    rows.set_status("t", "processing")
    rows.add_topic("t", topic("a", 0.0))
    rows.upsert_participants("t", [{"id": "p", "speaker": 0, "name": "A", "user_id": None}])
    rows.reset("t")
    row = rows.get_transcript("t")
    assert (row.title, row.short_summary, row.zulip_message_id, row.duration) == (
        "Kept", "kept", 7, 3.0,
    )  # fmt: skip
    assert (row.events, row.topics, row.participants, row.webvtt) == ([], [], [], "WEBVTT\n")
    assert row.status == "processing"


def test_a_title_is_set_only_once(rows):
    """A reprocess keeps the title that stands."""
    assert rows.set_title("t", "First") == "First"
    assert rows.set_title("t", "Second") == "First"


def test_topics_and_captions_change_together(rows):
    """The captions always say what the topics hold, each topic once."""
    for _ in range(2):
        rows.add_topic("t", topic("a", 0.0))
        rows.add_topic("t", topic("b", 2.0))
    row = rows.get_transcript("t")
    assert [one["id"] for one in row.topics] == ["a", "b"]
    assert "<v Speaker0>ab\n" in row.webvtt


def test_words_out_of_order_change_nothing(rows):
    """A topic that would break the order of captions is refused whole."""
    rows.add_topic("t", topic("a", 5.0))
    with pytest.raises(TerminalStepError):
        rows.add_topic("t", topic("b", 1.0))
    assert [one["id"] for one in rows.get_transcript("t").topics] == ["a"]


def test_participants_are_upserted_by_id(rows):
    """Twice the same track is one participant, with its newest name."""
    for name in ("Speaker 0", "Alice"):
        rows.upsert_participants("t", [{"id": "p", "speaker": 0, "name": name, "user_id": None}])
    assert [one["name"] for one in rows.get_transcript("t").participants] == ["Alice"]


def test_an_unknown_transcript_is_hopeless(rows):
    """Neither reading nor writing it can ever succeed."""
    with pytest.raises(TerminalStepError, match="nobody"):
        rows.get_transcript("nobody")
    with pytest.raises(TerminalStepError, match="nobody"):
        rows.set_status("nobody", "ended")


def test_of_two_meetings_the_one_that_ended_last_counts(rows):
    """Daily's room name is shared by every meeting held in it."""
    rows.insert_meeting(id="m2", room_name="standup-1", end_date=NOON + timedelta(hours=1))
    assert rows.meeting_in("standup-1").id == "m2"


def test_times_keep_their_instant(rows):
    """Whatever zone goes in, the same instant comes back in UTC."""
    zone = timezone(timedelta(hours=5))
    rows.insert_meeting(id="far", room_name="x", end_date=NOON.astimezone(zone))
    assert rows.get_meeting("far").end_date == NOON
    assert rows.get_recording("rec").recorded_at.tzinfo is not None


def test_a_snapshot_survives_json_and_fills_another_database(rows, tmp_path):
    """Everything of a recording arrives; overrides win; nothing else does."""
    rows.set_status("t", "ended")
    taken = json.loads(json.dumps(snapshot(rows, "rec")))
    other_url = f"sqlite:///{tmp_path / 'other.db'}"
    write_mark(other_url)
    create_all(other_url)
    other = Rows.at(other_url)
    for _ in range(2):
        restore(other, taken, status="idle", events=[])
    assert (other.get_transcript("t").status, other.get_transcript("t").events) == ("idle", [])
    assert other.get_room("room") == rows.get_room("room")
    assert other.consents("m") == rows.consents("m")
    assert other.get_calendar_event("cal") == rows.get_calendar_event("cal")
    assert other.get_meeting("m") == rows.get_meeting("m")
    assert rows.get_transcript("t").status == "ended"


def test_a_snapshot_of_nothing_is_an_error(rows):
    """An unknown recording is named, not copied as nothing."""
    with pytest.raises(InputError, match="no-such"):
        snapshot(rows, "no-such")


def test_wiping_leaves_no_word_and_no_bystander_harmed(rows):
    """A recording goes with its transcripts and meeting; others stay."""
    rows.insert_meeting(id="m2", room_name="standup-2", room_id="room")
    rows.insert_recording(
        id="rec2", bucket_name="b", object_key="o", recorded_at=NOON, meeting_id="m2"
    )
    rows.insert_transcript(id="t2", recording_id="rec2")
    for _ in range(2):
        wipe(rows, "rec")
    assert rows.find_transcript("t") is None
    assert rows.get_meeting("m") is None
    assert rows.consents("m") == ()
    assert rows.get_transcript("t2").recording_id == "rec2"
    assert rows.get_meeting("m2") is not None


def test_recorded_rows_of_the_real_pipeline_fit(url):
    """The tables take what the real pipeline wrote and give it back unchanged."""
    recorded = json.loads((RUNS / "denied-consent" / "rows.json").read_text())
    rows = Rows.at(url)
    restore(rows, recorded)
    row = rows.get_transcript(recorded["transcript"][0]["id"])
    for name in ("topics", "events", "participants", "webvtt", "duration", "audio_deleted"):
        assert getattr(row, name) == recorded["transcript"][0][name]


WRITER = """
import sys
from reflector_migrate.pipeline.rows import Rows
rows = Rows.at(sys.argv[1])
for number in range(20):
    rows.append_event("t", "TOPIC", {"id": f"{sys.argv[2]}-{number}"})
"""


def test_two_processes_lose_no_event(rows, url):
    """Whole-column rewrites of two writers at once keep every event of both."""
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url, name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(kept(rows)) == 40


def test_a_database_that_is_gone_is_worth_a_retry():
    """Unreachable is transient: it says so and does not wait for ever."""
    rows = Rows.at("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(OutageError, match="database"):
        rows.find_transcript("t")


@pytest.mark.heavy
def test_postgresql_has_the_columns_of_the_real_schema(postgres_url):
    """Each table has exactly the columns the real deployment has."""
    create_all(postgres_url)
    ours = sqlalchemy.inspect(engine_for(postgres_url))
    schema = (RUNS / "schema.sql").read_text()
    for table in metadata.tables:
        body = schema.split(f"CREATE TABLE public.{table} (\n")[1].split("\n);")[0]
        theirs = {line.split()[0] for line in body.splitlines()}
        assert {column["name"] for column in ours.get_columns(table)} == theirs

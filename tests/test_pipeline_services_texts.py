"""What is said to people: titles, topics, Zulip, webhook; and what is hashed of a step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reflector_migrate.errors import TerminalStepError
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.contracts import (
    MergeInput,
    MixdownInput,
    PadTrackOutput,
    Ref,
    Run,
    Track,
    TranscribeTrackOutput,
)
from reflector_migrate.pipeline.defects.registry import with_defects
from reflector_migrate.pipeline.digests import digest
from reflector_migrate.pipeline.rows import CalendarEventRow, RoomRow, TranscriptRow
from reflector_migrate.pipeline.services.events import messages
from reflector_migrate.pipeline.steps import STEPS
from reflector_migrate.pipeline.steps.get_participants import participants_of
from reflector_migrate.pipeline.summary import Section, markdown, spoken
from reflector_migrate.pipeline.topics import stretches, tidy_title, topic_id
from reflector_migrate.pipeline.webhook_payload import encoded, payload
from reflector_migrate.pipeline.zulip_text import clock, content

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
RUN = Run(
    run_id="r", recording_id="rec", transcript_id="t", namespace="shadow", bucket_name="b"
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "tidied"),
    [
        ('"quarterly budget and launch planning"', "Quarterly Budget and Launch Planning"),
        ("budget and the launch part 2", "Budget and the Launch Part 2"),
        ("the API of GPUs", "The api of Gpus"),
        ("  'two\nlines'  ", "Two Lines"),
        ("ein ÜBERBLICK", "Ein Überblick"),
        ("", ""),
        ('"', ""),
    ],
)
def test_titles_are_written_as_legacy_writes_them(said, tidied):
    """First word and words of more than three letters capitalised, all else lower."""
    assert tidy_title(said) == tidied


@pytest.mark.parametrize(
    ("count", "word", "sizes"),
    [
        (0, "word ", []),
        (1, "word ", [1]),
        (299, "word ", [299]),
        (300, "word ", [300]),
        (301, "word ", [300, 1]),
        (1500, "ab", [600, 600, 300]),
        (600, "a", [600]),
        (751, "a", [751]),
        (1200, "a", [900, 300]),
    ],
)
def test_topics_are_cut_where_legacy_cuts_them(count, word, sizes):
    """Chunks of 300 words until the text exceeds 750 characters; the rest is a topic too."""
    words = [{"text": word}] * count
    assert [len(part) for part in stretches(words)] == sizes


def test_topic_ids_are_stable_and_apart():
    """The same for the same run and place, else another."""
    assert topic_id("r", 0) == topic_id("r", 0)
    assert len({topic_id(run, place) for run in "rs" for place in range(3)}) == 6


def test_turns_are_lines_with_names():
    """One line a turn, numbers for the nameless."""
    words = [("Hi ", 0), ("all. ", 0), ("Yes.", 1), (" Go", 0)]
    told = [{"text": text, "speaker": speaker} for text, speaker in words]
    assert spoken(told, {0: "Alice"}) == "Alice: Hi all.\nSpeaker 1: Yes.\nAlice: Go"


def test_the_long_summary_is_legacys_markdown():
    """Recap, then a paragraph on each subject; without subjects the recap alone."""
    sections = [Section("Budget", "Fine."), Section("Launch", "Soon.")]
    assert markdown("All well.", sections) == (
        "# Quick recap\n\nAll well.\n\n# Summary\n\n**Budget**\nFine.\n\n**Launch**\nSoon.\n"
    )
    assert markdown("All well.", []) == "# Quick recap\n\nAll well.\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00"), (33.93, "00:33"), (59.999, "00:59"), (61, "01:01"), (3600, "01:00:00"),
     (36061.5, "10:01:01")],
)  # fmt: skip
def test_times_are_never_rounded_up(seconds, text):
    """Minutes and seconds; hours from one hour on."""
    assert clock(seconds) == text


def transcript(**changes):
    """A finished transcript."""
    row = TranscriptRow(
        id="t", name="", status="ended", locked=False, duration=61_000.0, created_at=NOON,
        title="Title", short_summary="Short", long_summary="Long\n", topics=[], events=[],
        participants=[], source_language="en", target_language="de", user_id="u",
        audio_location="storage", share_mode="public", reviewed=False, meeting_id="m",
        recording_id="rec", zulip_message_id=None, source_kind="room", audio_deleted=None,
        room_id="room", webvtt="WEBVTT\n",
    )  # fmt: skip
    return replace(row, **changes)


def test_a_transcript_without_words_still_has_a_message():
    """No title, no summary, no topics: heading, date, link, duration."""
    bare = transcript(title=None, long_summary=None, duration=None)
    assert content(bare, "https://ui.example") == (
        "# Reflector – Unnamed recording\n\n**Date**: <time:2026-01-05T12:00:00+00:00>\n"
        "**Link**: [ui.example](https://ui.example/transcripts/t)\n**Duration**: 00:00\n\n-----\n"
    )


def test_the_webhook_has_what_the_calendar_entry_has():
    """Optional fields are left out when empty."""
    room = RoomRow("room", "standup", "u", True, "s", "t", False, "http://x", None, "daily")
    event = CalendarEventRow("c", "room", "uid", "Daily", None, NOON, NOON, None, "Berlin")
    told = {"ui_base_url": "http://ui", "event_id": "e", "at": NOON}
    body = payload(transcript(), room, event, **told)
    assert body["calendar_event"] == {
        "id": "c", "ics_uid": "uid", "title": "Daily", "start_time": "2026-01-05T12:00:00+00:00",
        "end_time": "2026-01-05T12:00:00+00:00", "location": "Berlin",
    }  # fmt: skip
    assert payload(transcript(), room, None, **told)["calendar_event"] == {}
    assert b": " not in encoded(body)


@pytest.mark.parametrize(
    ("event", "owner", "channels"),
    [
        ("STATUS", "u", ["ts:t", "user:u"]),
        ("DURATION", "u", ["ts:t", "user:u"]),
        ("FINAL_TITLE", "u", ["ts:t", "user:u"]),
        ("TOPIC", "u", ["ts:t"]),
        ("TRANSCRIPT", "u", ["ts:t"]),
        ("STATUS", None, ["ts:t"]),
    ],
)
def test_owners_hear_of_three_events_only(event, owner, channels):
    """Status, duration and title, under their own names."""
    told = messages("t", owner, event, {"value": 1})
    assert [channel for channel, _ in told] == channels
    for _, message in told[1:]:
        assert message == {"event": f"TRANSCRIPT_{event}", "data": {"id": "t", "value": 1}}


def test_a_speaker_is_the_place_among_the_camera_tracks():
    """A screen track between two cameras moves no speaker, as with legacy; odd keys are ignored."""
    alice, bob = "a" * 36, "b" * 36
    keys = [
        f"d/r/1765800000000-{alice}-cam-audio-1765800000438",
        f"d/r/1765800000000-{alice}-screen-audio-1765800000438",
        "d/r/odd-cam-audio-1",
        f"d/r/1765800000000-{bob}-cam-audio-1765800000439",
    ]
    tracks = [Track(track_index=i, s3_key=key) for i, key in enumerate(keys)]
    people = [(p["id"][0], p["speaker"], p["name"]) for p in participants_of(tracks, [])]
    assert people == [("a", 0, "Speaker 0"), ("b", 2, "Speaker 2")]


def padded(index, sha256="0" * 64, size=1, url="s3://b/k"):
    """A padded track."""
    return PadTrackOutput(
        track_index=index, padded_url=url, size=size, padded=True, start_s=0.5, sha256=sha256
    )


def test_a_digest_sees_what_is_semantic_and_nothing_else():
    """Content, place and order count; addresses, sizes and runs do not."""
    one = digest(padded(0))
    assert one == digest(padded(0, size=2, url="s3://other/key"))
    assert one != digest(padded(0, sha256="1" * 64))
    both = MixdownInput(run=RUN, padded_urls=(padded(0), padded(1)))
    other = RUN.model_copy(update={"run_id": "another"})
    assert digest(both) == digest(MixdownInput(run=other, padded_urls=(padded(0), padded(1))))
    assert digest(both) != digest(MixdownInput(run=RUN, padded_urls=(padded(1), padded(0))))


@pytest.mark.parametrize("count", [1, 2, 10, 11, 12, 40])
def test_a_join_is_put_in_track_order_and_the_seeded_defect_undoes_it_from_eleven(count):
    """t_10 before t_2: nothing shows with ten tracks, every later speaker with eleven."""
    seen = []
    steps = {**STEPS, "merge_transcripts": lambda task, _ctx: seen.append(order_of(task))}
    joined = {f"t_{i}": transcribed(i) for i in sorted(range(count), key=str)}
    task = MergeInput(run=RUN, transcripts=joined)
    assert order_of(task) == list(range(count))
    with_defects(steps, ["tracks_joined_in_string_order"])["merge_transcripts"](task, None)
    assert (seen == [list(range(count))]) is (count <= 10)


def order_of(task):
    """The tracks in the order in which a step gets them."""
    return [t.track_index for t in task.transcripts]


def transcribed(index):
    """A branch's output as JSON."""
    words = Ref(ref=f"artifact:{index}", sha256="0" * 64, count=1)
    return TranscribeTrackOutput(track_index=index, words=words).model_dump(mode="json")


def test_an_unknown_defect_is_refused_and_the_known_are_named():
    """No defect is ever ignored in silence."""
    with pytest.raises(TerminalStepError, match="tracks_joined_in_string_order"):
        with_defects(STEPS, ["nonsense"])
    assert tuple(with_defects(STEPS, [])) == STEP_NAMES

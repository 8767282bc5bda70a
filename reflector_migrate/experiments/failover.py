"""A stream of recordings on `conductor+fallback` that is disturbed in the middle, in a sandbox.

Each recording must end once and right, whichever engine served it: its transcript equals that of
an undisturbed run, and its room got one message and one webhook.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reflector_migrate.conductor.live_claims import claims_of
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.experiments.secondary import start
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows, TranscriptRow
from reflector_migrate.sandbox.recordings import FixtureRecording
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings

LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Streamed:
    """How each recording ended. `recover_s`: from the disturbance to the last end."""

    n: int
    by_engine: Mapping[str, int]
    lost: tuple[str, ...]
    twice: tuple[str, ...]
    wrong: tuple[str, ...]
    recover_s: float

    @property
    def is_right(self) -> bool:
        """All ended right, none twice, none lost."""
        return not (self.lost or self.twice or self.wrong)

    def __str__(self) -> str:
        """One line for a person."""
        served = ", ".join(f"{number} by {name}" for name, number in sorted(self.by_engine.items()))
        bad = "; ".join(
            f"{word}: {', '.join(names)}"
            for word, names in (("lost", self.lost), ("twice", self.twice), ("wrong", self.wrong))
            if names
        )
        return f"{self.n} recordings, {served}; {bad or 'all right, none twice, none lost'}; " + (
            f"recovered in {self.recover_s:.0f} s"
        )


def copies(recording: FixtureRecording, count: int, prefix: str) -> tuple[FixtureRecording, ...]:
    """The same sound as recordings of their own, each of a room that hears of its transcript."""
    return tuple(_copy(recording, f"{prefix}-{number}") for number in range(count))


def run_stream(
    harness: Harness,
    recordings: Sequence[FixtureRecording],
    disturb: Callable[[int], None],
    *,
    like: FixtureRecording,
    timeout_s: float,
) -> Streamed:
    """Announce one after the other, `disturb` after each, and wait for all; nothing raises late.

    `like` has been served undisturbed: all transcripts must equal its.
    """
    for recording in recordings:
        set_stage(harness, recording)
    begun = time.monotonic()
    for number, recording in enumerate(recordings):
        start(harness.settings, recording)
        disturb(number)
    left, rows = list(recordings), Rows.at(harness.settings.reflector.database_url or "")
    deadline = time.monotonic() + timeout_s
    while left and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        left = [one for one in left if not _is_over(harness.settings, rows, one)]
    return _looked_at(harness, recordings, left, like, time.monotonic() - begun)


def _looked_at(
    harness: Harness,
    recordings: Sequence[FixtureRecording],
    left: Sequence[FixtureRecording],
    like: FixtureRecording,
    took_s: float,
) -> Streamed:
    rows = Rows.at(harness.settings.reflector.database_url or "")
    good = _told(rows.transcript_of(like.recording_id))
    found = {one.name: rows.transcript_of(one.recording_id) for one in recordings}
    heard = _heard(harness.settings)
    claims = {one.name: claims_of(harness).look(row.id) for one in recordings
              if (row := found[one.name])}  # fmt: skip
    return Streamed(
        len(recordings),
        Counter(claim.engine if claim else "nobody" for claim in claims.values()),
        tuple(one.name for one in left),
        tuple(name for name, row in found.items() if row and max(heard(row.id)) > 1),
        tuple(name for name, row in found.items() if _told(row) != good),
        took_s,
    )


def _is_over(settings: Settings, rows: Rows, recording: FixtureRecording) -> bool:
    row = rows.transcript_of(recording.recording_id)
    return row is not None and row.status == "ended" and min(_heard(settings)(row.id)) > 0


def _heard(settings: Settings) -> Callable[[str], tuple[int, int]]:
    """How many messages and webhooks a transcript has by now."""
    with StandinControl(settings.sandbox.control_url or "") as control:
        hooks, messages = control.webhooks(), control.zulip_messages()
    return lambda name: (
        sum(name in str(hook["body"]) for hook in hooks),
        sum(name in str(message["content"]) for message in messages),
    )


def _told(row: TranscriptRow | None) -> tuple[object, ...] | None:
    """What a transcript says, without its own ids."""
    if row is None:
        return None
    topics = [(t["title"], t["summary"], t["transcript"]) for t in row.topics]
    events = sorted(str(event["event"]) for event in row.events)
    return (row.status, row.title, row.short_summary, row.long_summary, row.webvtt, topics, events)


def _copy(recording: FixtureRecording, name: str) -> FixtureRecording:
    def new(what: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{what}"))

    folder = f"sandbox/{name}-20260202081500"
    tracks = tuple(
        track.model_copy(update={"key": f"{folder}/{track.key.rpartition('/')[2]}"})
        for track in recording.tracks
    )
    room = recording.room.model_copy(update={
        "id": new("room"), "name": name, "zulip_auto_post": True, "zulip_stream": "stream",
        "zulip_topic": name, "webhook_path": f"/{name}", "webhook_secret": "a secret",
    })  # fmt: skip
    meeting = recording.meeting.model_copy(
        update={"id": new("meeting"), "mtg_session_id": new("session")}
    )
    return recording.model_copy(update={
        "name": name, "recording_id": new("recording"), "room": room, "meeting": meeting,
        "tracks": tracks, "daily_room_name": f"{name}-20260202081500",
    })  # fmt: skip

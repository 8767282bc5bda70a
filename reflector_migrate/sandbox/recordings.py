"""The synthetic recordings: what was said in them, by whom, when, and around which state.

One folder each below `fixtures/recordings/`; fields are explained in its README.
All times are seconds of the meeting's clock, which is also the clock of a padded track.
"""

from __future__ import annotations

import difflib
import json
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reflector_migrate.errors import InputError

FILE = "recording.json"


class Fact(BaseModel):
    """Frozen; an unknown field is an error, so that a typo cannot hide."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FixtureRoom(Fact):
    """A room and where it reports; `webhook_path` is below the webhook stand-in's base URL."""

    id: str
    name: str
    user_id: str
    zulip_auto_post: bool
    zulip_stream: str
    zulip_topic: str
    webhook_path: str | None
    webhook_secret: str | None


class FixtureMeeting(Fact):
    """The meeting a recording belongs to."""

    id: str
    mtg_session_id: str
    started_at: datetime
    duration_s: int


class FixtureTrack(Fact):
    """One participant's audio; `file` is relative to the recording's folder."""

    key: str
    file: str
    kind: Literal["cam", "screen"]
    participant_id: str
    start_s: float
    duration_s: float


class FixtureParticipant(Fact):
    """A participant as Daily reports them."""

    participant_id: str
    user_name: str | None
    user_id: str | None
    join_time: int
    duration: int


class FixtureConsent(Fact):
    """One person's answer to whether the audio may be kept."""

    user_id: str | None
    consent_given: bool


class FixtureLanguages(Fact):
    """Of the transcript row."""

    source: str
    target: str


class FixturePrior(Fact):
    """A transcript row that exists before the run; duration in milliseconds."""

    id: str
    status: str
    title: str | None = None
    short_summary: str | None = None
    long_summary: str | None = None
    duration: float | None = None
    zulip_message_id: int | None = None
    source_language: str = "en"
    target_language: str = "en"
    created_at: datetime


class FixtureExpectation(Fact):
    """How the legacy pipeline ends with it, and why."""

    status: Literal["ended", "error"]
    failed_step: str | None = None
    reason: str | None = None
    audio_deleted: bool = False
    topics: int = Field(ge=0)


class FixtureWord(Fact):
    """A word as written in the script, without blanks."""

    word: str
    start: float
    end: float


class FixtureUtterance(Fact):
    """Something said without interruption; its text is unique in the corpus."""

    track: int
    language: str
    text: str
    start: float
    end: float
    words: tuple[FixtureWord, ...] = Field(min_length=1)


class FixtureRecording(Fact):
    """A recording, its surroundings and its ground truth."""

    name: str
    title: str
    description: str
    recording_id: str
    trigger: Literal["daily", "reprocess"]
    room: FixtureRoom
    daily_room_name: str
    meeting: FixtureMeeting
    tracks: tuple[FixtureTrack, ...] = Field(min_length=1)
    participants: tuple[FixtureParticipant, ...]
    consents: tuple[FixtureConsent, ...]
    languages: FixtureLanguages
    prior: FixturePrior | None
    expect: FixtureExpectation
    utterances: tuple[FixtureUtterance, ...]
    folder: Path = Field(exclude=True)

    @property
    def keys(self) -> tuple[str, ...]:
        """The object keys that the pipeline task receives: only a reprocess gets all of them."""
        kept = [t for t in self.tracks if self.trigger == "reprocess" or t.kind == "cam"]
        return tuple(track.key for track in kept)

    @property
    def all_keys(self) -> tuple[str, ...]:
        """Every audio key, as the recording row holds them."""
        return tuple(track.key for track in self.tracks)

    def path(self, track: FixtureTrack) -> Path:
        """Where a track's audio is."""
        return self.folder / track.file

    def said_in(self, track_index: int) -> tuple[FixtureUtterance, ...]:
        """A track's utterances in order; the index counts all tracks."""
        return tuple(u for u in self.utterances if u.track == track_index)


def load_recordings(root: Path) -> dict[str, FixtureRecording]:
    """Every recording below `root` by name; InputError when there is none or one is broken."""
    files = sorted(root.glob(f"*/{FILE}"))
    if not files:
        raise InputError(f"{root}: no recordings", hint=f"a recording is a folder with a {FILE}")
    return {file.parent.name: _load(file) for file in files}


def load_recording(root: Path, name: str) -> FixtureRecording:
    """One recording; an unknown name is an InputError that lists the nearest ones."""
    file = root / name / FILE
    if Path(name).name != name or not file.is_file():
        raise InputError(f"no recording is named {name!r}", hint=_nearest(root, name))
    return _load(file)


def _nearest(root: Path, name: str) -> str:
    known = sorted(file.parent.name for file in root.glob(f"*/{FILE}"))
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return f"did you mean {', '.join(close)}?"
    return f"known: {', '.join(known)}" if known else f"there are none in {root}"


def _load(file: Path) -> FixtureRecording:
    try:
        recording = FixtureRecording(**json.loads(file.read_bytes()), folder=file.parent)
    except (ValueError, TypeError) as broken:
        raise InputError(f"{file}: {_reason(broken)}") from None
    if recording.name != file.parent.name:
        raise InputError(f"{file}: name: {recording.name!r} is not the folder's name")
    _check_references(recording, file)
    return recording


def _reason(broken: Exception) -> str:
    if not isinstance(broken, ValidationError):
        return f"not a JSON object: {broken}"
    first = broken.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _check_references(recording: FixtureRecording, file: Path) -> None:
    for place, track in enumerate(recording.tracks):
        if not recording.path(track).is_file():
            raise InputError(f"{file}: tracks.{place}.file: {track.file} does not exist")
    for place, utterance in enumerate(recording.utterances):
        if utterance.track not in range(len(recording.tracks)):
            raise InputError(f"{file}: utterances.{place}.track: no track {utterance.track}")

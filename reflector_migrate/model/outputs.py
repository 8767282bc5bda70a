"""What a recording has become: words, topics, people, and all else that a reader can see.

Seconds from the meeting's start unless a name says otherwise; text as received.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from reflector_migrate.model.frozen import Frozen, Instant

UNREADABLE = "unreadable: "
"""How the error of an observation begins whose rows are not what they must be."""

UNSEEN_FILES = "local files: the data folder is not on this host"
UNSEEN_ZULIP = "zulip: nothing saw whether a message was posted"
UNSEEN_WEBHOOK = "webhook: nothing saw whether it was sent"
"""An observation's notes: that none are reported says nothing of whether there are any."""


class Word(Frozen):
    """One recognised word; text exactly as received, seconds from the meeting's start."""

    text: str
    start: float
    end: float
    speaker: int = 0


class Topic(Frozen):
    """A stretch of the meeting about one thing; timestamp in seconds."""

    id: str = ""
    title: str
    summary: str
    timestamp: float
    duration: float | None = None
    transcript: str = ""
    words: tuple[Word, ...] = ()


class Participant(Frozen):
    """A person in the meeting; `speaker` is the index of their track."""

    id: str = ""
    speaker: int | None = None
    name: str = ""
    user_id: str | None = None


class Event(Frozen):
    """A message of the pipeline to its listeners, or one kept in the row."""

    event: str
    data: Mapping[str, Any] = Field(default_factory=dict)
    channel: str | None = None
    at: Instant | None = None
    stored: bool = True


class Effect(Frozen):
    """Something done, or recorded instead of done, to the world outside the pipeline.

    kind: zulip_message | zulip_update | webhook | s3_put | s3_delete | local_put | local_delete.
    local_put: a file left in the data folder, as far as the reader's host has that folder.
    key: what identifies it within a recording (S3 key, webhook event, Zulip topic).
    """

    kind: str
    key: str
    count: int = 1
    suppressed: bool = False
    payload: Mapping[str, Any] = Field(default_factory=dict)
    sha256: str | None = None
    size_bytes: int | None = None
    at: Instant | None = None


class Outputs(Frozen):
    """Everything a reader of the finished transcript could see."""

    participants: tuple[Participant, ...] = ()
    duration_ms: float | None = None
    waveform: tuple[float, ...] | None = None
    words: tuple[Word, ...] = ()
    topics: tuple[Topic, ...] = ()
    title: str | None = None
    short_summary: str | None = None
    long_summary: str | None = None
    webvtt: str | None = None
    row: Mapping[str, Any] = Field(default_factory=dict)

"""The one small message that the plugin publishes for each recording."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from reflector_migrate.errors import InputError
from reflector_migrate.model import Frozen
from reflector_migrate.pipeline.rows import RecordingRow
from reflector_migrate.pipeline.rows.begun import cam_audio
from reflector_migrate.store.documents import field_of

MOST_TRACKS = 1000
KEY_BYTES = 1024
"""The longest key that S3 knows."""


def _checked_key(key: str) -> str:
    if not 0 < len(key.encode()) <= KEY_BYTES:
        raise ValueError(f"an object's key has 1 to {KEY_BYTES} bytes")
    if not key.isprintable() or ".." in key.split("/") or key.startswith("/"):
        raise ValueError("an object's key has no control characters, no `..` and no leading `/`")
    return key


Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Bucket = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Key = Annotated[str, AfterValidator(_checked_key)]


class Announcement(Frozen):
    """A primary run has begun: whose, and where its tracks are.

    `task_id` is None in the replay of a run whose task is unknown. `is_replayed`: the harness
    announced it afterwards, since the plugin's own announcement was lost. `is_chosen`: a person
    chose the recording, and the sample does not leave it out. `ui_base_url`: where
    Reflector's own links lead, as its worker knows it. A process that can write to
    the broker can send one: bucket and keys are names and nothing else.
    """

    transcript_id: Id
    bucket_name: Bucket
    track_keys: Annotated[tuple[Key, ...], Field(max_length=MOST_TRACKS)]
    task_id: Id | None
    root_id: Id | None = None
    recording_id: Annotated[str, StringConstraints(max_length=200)] | None = None
    published_at: datetime | None = None
    is_replayed: bool = False
    is_chosen: bool = False
    ui_base_url: Annotated[str, StringConstraints(max_length=500)] | None = None


def parse(message: dict[str, object]) -> Announcement:
    """Validate what came off the queue; InputError names the field."""
    try:
        return Announcement.model_validate(message)
    except ValidationError as invalid:
        raise InputError(f"shadow message: {field_of(invalid)}") from None


def of_recording(recording: RecordingRow, transcript_id: str, **more: object) -> Announcement:
    """As the plugin would have announced it. Raises InputError with the field that is refused."""
    keys = cam_audio(recording.track_keys)
    return parse(
        {
            "transcript_id": transcript_id,
            "bucket_name": recording.bucket_name,
            "track_keys": recording.track_keys if keys is None else keys,
            "recording_id": recording.id,
            "is_replayed": True,
            **more,
        }
    )

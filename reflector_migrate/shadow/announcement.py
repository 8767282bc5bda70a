"""The one small message that the plugin publishes for each recording."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from reflector_migrate.errors import InputError
from reflector_migrate.model import Frozen


class Announcement(Frozen):
    """A primary run has begun: whose, and where its tracks are.

    `task_id` is None in the replay of a run whose task nobody knows.
    """

    transcript_id: str
    bucket_name: str
    track_keys: tuple[str, ...]
    task_id: str | None
    root_id: str | None = None
    recording_id: str | None = None
    published_at: datetime | None = None


def parse(message: dict[str, object]) -> Announcement:
    """Validate what came off the queue; InputError names the field."""
    try:
        return Announcement.model_validate(message)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"shadow message: {field}: {first['msg']}") from None

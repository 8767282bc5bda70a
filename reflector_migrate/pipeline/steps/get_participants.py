"""Puts names to tracks."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

from reflector_migrate.errors import StepError
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import (
    GetParticipantsInput,
    GetParticipantsOutput,
    PersonInMeeting,
    Track,
)

log = logging.getLogger(__name__)

CAMERA = "cam-audio"
_KEY = re.compile(r"\d{13,}-([0-9a-fA-F-]{36})-cam-audio-\d{13,}")


def get_participants(task: GetParticipantsInput, ctx: StepContext) -> GetParticipantsOutput:
    """A participant in the row for every camera track, with Daily's name or "Speaker N".

    The speaker is the track's place among the camera tracks, as with legacy. No session, or a
    Daily that fails, means no names and no failure.
    """
    people = _ask_daily(task.mtg_session_id, ctx)
    participants = list(participants_of(task.tracks, people))
    ctx.rows.upsert_participants(ctx.run.transcript_id, participants)
    return GetParticipantsOutput(participants=people)


def participants_of(
    tracks: Iterable[Track], people: Iterable[PersonInMeeting]
) -> Iterator[dict[str, Any]]:
    """What the row keeps of everyone who has a camera track; odd key names are left out."""
    by_id = {person.participant_id: person for person in people}
    camera = [track.s3_key for track in tracks if CAMERA in track.s3_key]
    for speaker, key in enumerate(camera):
        found = _KEY.search(key)
        if found is None:
            log.warning("track %d names no participant", speaker)
            continue
        person = by_id.get(found[1])
        yield {
            "id": found[1],
            "speaker": speaker,
            "name": (person.user_name if person else None) or f"Speaker {speaker}",
            "user_id": person.user_id if person else None,
        }


def _ask_daily(session_id: str | None, ctx: StepContext) -> tuple[PersonInMeeting, ...]:
    if not session_id:
        log.warning("recording %s has no meeting session: no names", ctx.run.recording_id)
        return ()
    try:
        return ctx.daily.participants(session_id)
    except StepError as error:
        log.warning("recording %s goes on without names: %s", ctx.run.recording_id, error)
        return ()

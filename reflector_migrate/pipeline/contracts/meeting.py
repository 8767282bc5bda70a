"""What is known of the meeting before recognition: its recording and its people."""

from __future__ import annotations

from reflector_migrate.pipeline.contracts.base import Contract, StepContract, StepInput, semantic


class Track(Contract):
    """One participant's audio: index in the recording, object key."""

    track_index: int
    s3_key: str = semantic()


class PersonInMeeting(Contract):
    """A participant as Daily reports them."""

    participant_id: str = semantic()
    user_name: str | None = semantic(None)
    user_id: str | None = semantic(None)


class GetRecordingInput(StepInput):
    """Daily's account of the recording is looked up by its id."""

    recording_id: str


class GetRecordingOutput(Contract):
    """duration in seconds, None where Daily does not say."""

    id: str
    mtg_session_id: str | None = None
    room_name: str | None = semantic(None)
    duration: float | None = semantic(None)
    source_language: str = semantic("en")
    target_language: str = semantic("en")


class GetParticipantsInput(StepInput):
    """No session id means no names, never a failure."""

    mtg_session_id: str | None = None
    tracks: tuple[Track, ...]


class GetParticipantsOutput(Contract):
    """Who was in the meeting."""

    participants: tuple[PersonInMeeting, ...] = semantic()


CONTRACTS = {
    "get_recording": StepContract(GetRecordingInput, GetRecordingOutput),
    "get_participants": StepContract(GetParticipantsInput, GetParticipantsOutput),
}

"""Puts a synthetic recording into a running sandbox, as Daily and Reflector would have it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from reflector_migrate.errors import ConfigurationError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows, wipe
from reflector_migrate.sandbox.recordings import FixtureRecording
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings


def set_stage(harness: Harness, recording: FixtureRecording, sink: str = "") -> None:
    """Forget earlier runs of it on both sides, then upload tracks, inform Daily, write rows.

    `sink` comes before the path of the room's webhook: another run's deliveries go there.
    """
    if not harness.settings.is_sandbox or harness.settings.sandbox.control_url is None:
        said = f"{recording.name}: recordings can only be staged in a sandbox"
        raise ConfigurationError(said, hint="migrate sandbox up")
    # Only the primary's earlier run is in the way: each candidate run has its own places.
    rows = Rows.at(harness.settings.reflector.database_url or "")
    transcript = rows.transcript_of(recording.recording_id)
    if transcript is not None:
        _delete_media(harness, harness.settings.reflector.media_bucket, transcript.id)
    wipe(rows, recording.recording_id, "stand-in")
    _upload(harness, recording)
    _tell_daily(harness.settings, recording)
    _write_rows(harness, recording, sink)


def set_secondary_stage(harness: Harness, recording: FixtureRecording) -> None:
    """The same in the places of the secondary, its webhooks on a path of their own."""
    set_stage(
        harness.under(harness.settings.as_secondary()),
        recording,
        harness.settings.secondary.webhook_path,
    )


def _delete_media(harness: Harness, bucket: str, transcript_id: str) -> None:
    s3 = _s3(harness)
    for prefix in (f"{transcript_id}/", f"file_pipeline/{transcript_id}/"):
        for found in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=found["Key"])


def _upload(harness: Harness, recording: FixtureRecording) -> None:
    s3 = _s3(harness)
    for track in recording.tracks:
        s3.put_object(
            Bucket=harness.settings.reflector.tracks_bucket,
            Key=track.key,
            Body=recording.path(track).read_bytes(),
            ContentType="audio/webm",
        )


def _tell_daily(settings: Settings, recording: FixtureRecording) -> None:
    meeting = recording.meeting
    known = {
        "id": recording.recording_id,
        "room_name": recording.daily_room_name,
        "start_ts": int(meeting.started_at.timestamp()),
        "status": "finished",
        "max_participants": len(recording.participants),
        "duration": meeting.duration_s,
        "tracks": [{"type": "audio", "s3Key": t.key} for t in recording.tracks],
        "mtgSessionId": meeting.mtg_session_id,
    }
    people = [person.model_dump(mode="json") for person in recording.participants]
    with StandinControl(settings.sandbox.control_url or "") as control:
        control.put_daily_recording(known, people)


def _write_rows(harness: Harness, recording: FixtureRecording, sink: str) -> None:
    rows = Rows.at(harness.settings.reflector.database_url or "")
    room, meeting = recording.room, recording.meeting
    hook = f"{harness.settings.sandbox.control_url}/webhook{sink}{room.webhook_path}"
    rows.insert_room(
        **room.model_dump(exclude={"webhook_path"}),
        webhook_url=hook if room.webhook_path else None,
        created_at=meeting.started_at,
        platform="daily",
    )
    rows.insert_meeting(
        id=meeting.id,
        room_name=recording.daily_room_name,
        room_id=room.id,
        start_date=meeting.started_at,
        end_date=meeting.started_at + timedelta(seconds=meeting.duration_s),
        platform="daily",
    )
    for place, consent in enumerate(recording.consents):
        rows.insert_consent(
            id=f"{meeting.id[:30]}-{place}",
            meeting_id=meeting.id,
            consent_given=consent.consent_given,
            user_id=consent.user_id,
            consent_timestamp=meeting.started_at,
        )
    if recording.prior is not None:
        _write_prior(rows, harness, recording)


def _write_prior(rows: Rows, harness: Harness, recording: FixtureRecording) -> None:
    prior = recording.prior
    if prior is None:
        return
    if recording.trigger == "reprocess":
        rows.insert_recording(
            id=recording.recording_id,
            bucket_name=harness.settings.reflector.tracks_bucket,
            object_key=recording.all_keys[0].rpartition("/")[0],
            recorded_at=recording.meeting.started_at,
            meeting_id=recording.meeting.id,
            track_keys=list(recording.all_keys),
        )
    known = prior.model_dump()
    if prior.zulip_message_id is not None:
        known["zulip_message_id"] = _earlier_message(harness, recording)
    rows.insert_transcript(
        **known,
        user_id=recording.room.user_id,
        meeting_id=recording.meeting.id,
        recording_id=recording.recording_id,
        room_id=recording.room.id,
    )


def _earlier_message(harness: Harness, recording: FixtureRecording) -> int:
    """Post what the earlier run would have posted; the id that Zulip gave it."""
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.services.http import Caller
    from reflector_migrate.pipeline.services.zulip import Zulip

    timeout_s = harness.settings.services.zulip_timeout_s
    caller = Caller("zulip", harness.connections.http, UsageMeter(), timeout_s)
    zulip = Zulip(caller, harness.settings.services)
    room = recording.room
    return zulip.post(room.zulip_stream, room.zulip_topic, "An earlier run of this recording")


def _s3(harness: Harness) -> Any:

    return harness.connections.s3

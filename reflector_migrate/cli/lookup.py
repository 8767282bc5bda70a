"""Finds what is stored of a recording, by its id or by a sandbox recording's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reflector_migrate.errors import InputError

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.model import Comparison
    from reflector_migrate.settings import Settings
    from reflector_migrate.store.runs import RunRecord


def recording_id_of(settings: Settings, recording: str) -> str:
    """The id; in a sandbox a recording's name is as good."""
    if not settings.is_sandbox:
        return recording
    from reflector_migrate.sandbox.recordings import load_recordings

    known = load_recordings(settings.sandbox.recordings)
    return known[recording].recording_id if recording in known else recording


def comparison_of(harness: Harness, recording: str) -> Comparison:
    """The newest stored comparison; InputError when there is none."""
    found = harness.evidence.latest(recording_id_of(harness.settings, recording))
    if found is None:
        _refuse_unknown(harness.settings, recording)
        raise InputError(
            f"no comparison of {recording} is stored", hint=f"migrate compare {recording}"
        )
    return found


def run_of(harness: Harness, recording: str) -> RunRecord:
    """The newest candidate run; InputError when there is none."""
    found = harness.runs.latest(recording_id_of(harness.settings, recording))
    if found is None:
        _refuse_unknown(harness.settings, recording)
        raise InputError(
            f"the candidate has not run {recording}", hint="recent runs: migrate shadow status"
        )
    return found


def is_known(settings: Settings, recording: str) -> bool:
    """Whether a sandbox has a recording of that name or id; a deployment may have any."""
    if not settings.is_sandbox:
        return True
    from reflector_migrate.sandbox.recordings import load_recordings

    known = load_recordings(settings.sandbox.recordings)
    return recording in known or recording in {one.recording_id for one in known.values()}


def _refuse_unknown(settings: Settings, recording: str) -> None:
    """InputError with the nearest names for a recording that a sandbox does not have."""
    if not is_known(settings, recording):
        from reflector_migrate.sandbox.recordings import load_recording

        load_recording(settings.sandbox.recordings, recording)

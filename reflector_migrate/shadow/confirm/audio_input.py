"""Sound that a step's input refers to, brought where a scratch run can read it.

A padded track is deleted once it has served; it is made again from the raw one, by the
pipeline's own step, and used only if it comes out as it was.
"""

from __future__ import annotations

from typing import Any

from reflector_migrate.errors import InputError, MigrateError, TerminalStepError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Observation
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.pipeline.services.storage import Storage, address
from reflector_migrate.shadow.confirm.sandbox_namespace import scratch_run
from reflector_migrate.shadow.confirm.step_input import given_to

Json = dict[str, Any]


def with_sounds(
    harness: Harness, ours: Harness, seen: Observation, step: str, fields: Json, run_id: str
) -> Json:
    """The input, its sound within reach; InputError names what is gone.

    `harness` is the deployment's, `ours` that of the scratch namespace, in which `run_id` runs.
    """
    if step == "pad_track":
        return {**fields, "bucket_name": _bucket_of(ours, seen, fields)}
    if step == "mixdown_tracks":
        return {
            **fields,
            "padded_urls": [_padded(harness, ours, seen, p) for p in fields["padded_urls"]],
        }
    if step == "transcribe_track":
        track = {"padded_url": fields["audio_url"], "sha256": fields["audio_sha256"],
                 "track_index": fields["track_index"]}  # fmt: skip
        return {**fields, "audio_url": _padded(harness, ours, seen, track)["padded_url"]}
    if step == "generate_waveform":
        _copy_mixed(ours, fields["audio_key"], run_id)
    return fields


def _storage(ours: Harness) -> Storage:
    return Storage(
        ours.connections.s3,
        UsageMeter(),
        frozenset({ours.settings.candidate.media_bucket}),
    )


def _is_there(ours: Harness, where: str) -> bool:
    return any(found.address == where for found in _storage(ours).list(where))


def _bucket_of(ours: Harness, seen: Observation, fields: Json) -> str:
    """The primary's bucket, or the copy that the candidate was given."""
    copies = (place_of_run(ours.settings, seen.run_id).tracks_bucket,) if seen.run_id else ()
    for bucket in (fields["bucket_name"], *copies):
        if _is_there(ours, address(bucket, fields["s3_key"])):
            return str(bucket)
    raise InputError(f"track {fields['track_index']} is deleted on both sides")


def _padded(harness: Harness, ours: Harness, seen: Observation, track: Json) -> Json:
    if _is_there(ours, track["padded_url"]):
        return track
    made = _padded_again(harness, ours, seen, track["track_index"])
    if made["sha256"] != track["sha256"]:
        raise InputError(
            f"track {track['track_index']}, padded again, sounds different than before"
        )
    return {**track, "padded_url": made["padded_url"]}


def _padded_again(harness: Harness, ours: Harness, seen: Observation, track_index: int) -> Json:
    """Padded again by the step as it should be, without any seeded defect."""
    from reflector_migrate.pipeline.runner import run_step

    padding = [s for s in seen.steps if (s.name, s.track_index) == ("pad_track", track_index)]
    if not padding:
        raise InputError(
            f"the padded track {track_index} is deleted, and its padding was not recorded"
        )
    fields = given_to(harness, seen, padding[-1]).fields
    fields = {**fields, "bucket_name": _bucket_of(ours, seen, fields)}
    workers = ours.settings.workers.model_copy(update={"defects": ()})
    sound = ours.settings.model_copy(update={"workers": workers})
    run = scratch_run(ours.settings, seen).model_dump(mode="json")
    return run_step("pad_track", {**fields, "run": run}, harness.under(sound)).output


def _copy_mixed(ours: Harness, key: str, run_id: str) -> None:
    source = address(ours.settings.reflector.media_bucket, key)
    try:
        there = place_of_run(ours.settings, run_id).media_bucket
        _storage(ours).copy(source, address(there, key))
    except TerminalStepError as error:
        raise InputError(f"the mixed recording is gone: {error.message}") from None
    except MigrateError as error:
        raise InputError(error.message) from None

"""The input that the primary's step had: recorded by its run, or derived from what it left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reflector_migrate.errors import InputError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Observation, StepRun
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.derived import words_of_track
from reflector_migrate.store.artifacts import Artifacts

Json = dict[str, Any]
PREFIX = "artifact:"


@dataclass(frozen=True, slots=True)
class Given:
    """A step's input as JSON, without its run; `values` are what its references stand for."""

    fields: Json
    values: Mapping[str, Any]
    origin: Literal["recorded", "derived"]
    ref: str | None = None


def given_to(harness: Harness, seen: Observation, step: StepRun) -> Given:
    """What the primary's step worked on; InputError says why it is unknown."""
    if step.input_ref and step.input_ref.startswith(PREFIX):
        return _recorded(harness.artifacts, step.input_ref)
    derive = DERIVED.get(step.name)
    if derive is None:
        raise InputError(f"the primary's input of {step.name} is neither recorded nor derivable")
    fields, values = derive(harness.settings, seen, step.track_index)
    return Given(fields, values, "derived")


def _recorded(artifacts: Artifacts, ref: str) -> Given:
    given = dict(artifacts.get(ref))
    given.pop("run", None)
    return Given(given, {r: artifacts.get(r) for r in references(given)}, "recorded", ref)


def references(value: Any) -> set[str]:
    """Every stored value that a JSON input refers to."""
    if isinstance(value, dict):
        own = {value["ref"]} if str(value.get("ref", "")).startswith(PREFIX) else set()
        return own.union(*map(references, value.values()))
    if isinstance(value, list):
        return set().union(*map(references, value))
    return set()


# Derived: as a real deployment's rows and objects have it.

Derived = tuple[Json, dict[str, Any]]


def _of_transcript(_settings: Settings, seen: Observation, _track: int | None) -> Derived:
    return {"transcript_id": str(seen.outputs.row["id"])}, {}


def _of_recording(_settings: Settings, seen: Observation, _track: int | None) -> Derived:
    return {"recording_id": seen.recording}, {}


def _for_waveform(_settings: Settings, seen: Observation, _track: int | None) -> Derived:
    return {"audio_key": f"{seen.outputs.row['id']}/audio.mp3"}, {}


def _for_padding(settings: Settings, seen: Observation, track: int | None) -> Derived:
    from reflector_migrate.pipeline.rows import Rows

    recording = Rows.at(settings.reflector.database_url or "").get_recording(seen.recording)
    known = (recording.track_keys if recording else None) or ()
    camera = [key for key in known if "cam-audio" in key]
    tracks = sum(step.name == "pad_track" for step in seen.steps)  # a reprocess takes all keys
    keys = next((k for k in (camera, list(known)) if len(k) == tracks), [])
    if recording is None or track is None or track >= len(keys):
        raise InputError(f"the primary's rows do not say which object track {track} is")
    return {"track_index": track, "s3_key": keys[track], "bucket_name": recording.bucket_name}, {}


def _for_merge(_settings: Settings, seen: Observation, _track: int | None) -> Derived:
    tracks = range(seen.track_count or 0)
    stored = [_value(f"track_{t}", words_of_track(seen.outputs.words, t)) for t in tracks]
    fields = [{"track_index": t, "words": ref} for t, (ref, _) in zip(tracks, stored, strict=True)]
    return {"transcripts": fields}, {ref["ref"]: value for ref, value in stored}


def _for_topics(_settings: Settings, seen: Observation, _track: int | None) -> Derived:
    ref, words = _words(seen)
    target = seen.outputs.row.get("target_language") or "en"
    return {"words": ref, "target_language": target}, {ref["ref"]: words}


def _for_title(_settings: Settings, seen: Observation, _track: int | None) -> Derived:
    ref, topics = _topics(seen)
    return {"topics": ref}, {ref["ref"]: topics}


def _for_summary(_settings: Settings, seen: Observation, _track: int | None) -> Derived:
    (words_ref, words), (topics_ref, topics) = _words(seen), _topics(seen)
    values = {words_ref["ref"]: words, topics_ref["ref"]: topics}
    return {"words": words_ref, "topics": topics_ref}, values


def _words(seen: Observation) -> tuple[Json, Any]:
    return _value("all_words", [word.model_dump() for word in seen.outputs.words])


def _topics(seen: Observation) -> tuple[Json, Any]:
    return _value("topics", [topic.model_dump(mode="json") for topic in seen.outputs.topics])


def _value(name: str, value: list[Any]) -> tuple[Json, Any]:
    from reflector_migrate.store.canonical_json import sha256_of

    ref = {"ref": f"{PREFIX}derived/given/{name}", "sha256": sha256_of(value), "count": len(value)}
    return ref, value


DERIVED: Mapping[str, Callable[[Settings, Observation, int | None], Derived]] = {
    "get_recording": _of_recording,
    "pad_track": _for_padding,
    "generate_waveform": _for_waveform,
    "merge_transcripts": _for_merge,
    "detect_topics": _for_topics,
    "generate_title": _for_title,
    "generate_summary": _for_summary,
    "finalize": _of_recording,
    "cleanup_consent": _of_transcript,
    "post_zulip": _of_transcript,
    "send_webhook": _of_transcript,
}

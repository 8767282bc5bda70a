"""What a step left in row, events and effects: a digest of each, derived, named.

A real deployment records no step's output. But most of what a step makes is written
somewhere; read alike on both sides, it shows which step's work differs. What cannot
be derived (a padded track, once deleted) has no digest and stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reflector_migrate.model import Observation, StepRun, Word, position, spec_of
from reflector_migrate.store.canonical_json import sha256_of

Key = tuple[str, int | None]
Left = Iterator[tuple[Key, str, Any]]


def with_derived(observation: Observation) -> Observation:
    """The observation, each step with the digests of what it left and where that is.

    A step of the pipeline proper that left something but was never seen gets a run
    of unknown times; whether consent, Zulip and webhook ran is unknown.
    """
    left: dict[Key, dict[str, str]] = {}
    for key, name, value in _left(observation):
        left.setdefault(key, {})[name] = sha256_of(value)
    seen = {(step.name, step.track_index) for step in observation.steps}
    unseen = tuple(
        StepRun(name=name, track_index=track)
        for name, track in left
        if (name, track) not in seen and not spec_of(name).is_after_end
    )
    steps = sorted(
        (*observation.steps, *unseen), key=lambda step: (position(step.name), step.track_index or 0)
    )
    known = tuple(_with(step, observation, left) for step in steps)
    return observation.model_copy(update={"steps": known})


def _with(step: StepRun, seen: Observation, left: Mapping[Key, Mapping[str, str]]) -> StepRun:
    found = left.get((step.name, step.track_index), {})
    if step.status != "completed" or not found:
        return step
    where = f"row:{seen.outputs.row.get('id')}/{','.join(sorted(found))}"
    return step.model_copy(update={"derived": found, "output_ref": step.output_ref or where})


def _left(seen: Observation) -> Left:
    """(step and track, what it is called, its value), as far as the run came."""
    if not seen.outputs.row:
        return
    yield from _listening(seen)
    yield from _writing(seen)
    yield from _ending(seen)


def _listening(seen: Observation) -> Left:
    row, outputs = seen.outputs.row, seen.outputs
    languages = [row.get("source_language"), row.get("target_language")]
    yield ("get_recording", None), "languages", languages
    people = [person.model_dump() for person in outputs.participants]
    yield ("get_participants", None), "participants", people
    if told := _events(seen, "DURATION"):
        yield ("mixdown_tracks", None), "DURATION", told
        yield ("mixdown_tracks", None), "duration", outputs.duration_ms
    if told := _events(seen, "WAVEFORM"):
        yield ("generate_waveform", None), "WAVEFORM", told
    if told := _events(seen, "TRANSCRIPT"):
        yield ("merge_transcripts", None), "TRANSCRIPT", told
        yield from _words(seen, told[-1])


def _words(seen: Observation, transcript: Mapping[str, Any]) -> Left:
    """The topics' words are the merged ones as long as they say what TRANSCRIPT says."""
    words = seen.outputs.words
    if transcript.get("text") != "".join(word.text for word in words):
        return
    yield ("merge_transcripts", None), "words", [word.model_dump() for word in words]
    for track in range(seen.track_count or 0):
        yield ("transcribe_track", track), "words", words_of_track(words, track)


def words_of_track(words: Sequence[Word], track: int) -> list[dict[str, Any]]:
    """A track's own words, as the recogniser gave them: its place is their speaker."""
    return [w.model_dump(exclude={"speaker"}) for w in words if w.speaker == track]


def _writing(seen: Observation) -> Left:
    outputs, step = seen.outputs, ("detect_topics", None)
    if _events(seen, "TRANSCRIPT"):
        yield step, "topics", [_topic(topic.model_dump()) for topic in outputs.topics]
        yield step, "TOPIC", [_topic(told) for told in _events(seen, "TOPIC")]
        yield step, "webvtt", outputs.webvtt
    for maker, event, column, value in (
        ("generate_title", "FINAL_TITLE", "title", outputs.title),
        ("generate_summary", "FINAL_SHORT_SUMMARY", "short_summary", outputs.short_summary),
        ("generate_summary", "FINAL_LONG_SUMMARY", "long_summary", outputs.long_summary),
    ):
        if told := _events(seen, event):
            yield (maker, None), event, told
            yield (maker, None), column, value


def _topic(topic: Mapping[str, Any]) -> dict[str, Any]:
    """Without its id; its words by their number, as they are the merged ones."""
    kept = {name: value for name, value in topic.items() if name not in ("id", "words")}
    return {**kept, "words": len(topic.get("words") or ())}


def _ending(seen: Observation) -> Left:
    row = seen.outputs.row
    if row.get("status") not in ("ended", "error"):
        return
    told = [event.get("value") for event in _events(seen, "STATUS")]
    yield ("finalize", None), "status", row["status"]
    yield ("finalize", None), "STATUS", told
    if row["status"] == "error":
        return
    yield ("cleanup_consent", None), "audio_deleted", bool(row.get("audio_deleted"))
    yield ("post_zulip", None), "zulip_message_id", row.get("zulip_message_id") is not None
    kinds = [effect.kind for effect in seen.effects]
    yield ("post_zulip", None), "messages", sorted(k for k in kinds if k.startswith("zulip"))
    yield ("send_webhook", None), "deliveries", kinds.count("webhook")


def _events(seen: Observation, name: str) -> list[dict[str, Any]]:
    """The data of the row's own events of that name, in order."""
    return [dict(event.data) for event in seen.events if event.stored and event.event == name]

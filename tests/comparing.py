"""Observations for the tests of comparators and judge; made from a few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reflector_migrate.model import (
    Effect,
    Event,
    Observation,
    Outputs,
    Participant,
    StepRun,
    Topic,
    Word,
)

TRANSCRIPT = "11111111-2222-3333-4444-555555555555"
SPOKEN = (
    "We ship on Friday after the audit. ",
    "No, the audit is not before the tenth of March, and it costs 1200 euro. ",
    "Then finance will pay ten percent more than planned, says Bob. ",
    "Good, let us meet again at 14:30 and look at the launch plan. ",
)

STRATUM = "tracks:2-4 language:en length:short silence:little"
"""Of every observation made here, unless it says otherwise."""


def words_of(
    texts: Iterable[str] = SPOKEN, *, speakers: int = 2, step_s: float = 0.5
) -> list[Word]:
    """Speakers take turns; one word every `step_s` seconds, a blank behind each."""
    words: list[Word] = []
    for turn, text in enumerate(texts):
        for token in text.split():
            at = round(0.3 + step_s * len(words), 3)
            speaker = turn % speakers
            words.append(Word(text=f"{token} ", start=at, end=at + 0.4, speaker=speaker))
    return words


def events_of(outputs: Outputs) -> tuple[Event, ...]:
    """The events a good run stores, in legacy's order."""
    text = "".join(word.text for word in outputs.words)
    return (
        Event(event="DURATION", data={"duration": outputs.duration_ms}),
        Event(event="WAVEFORM", data={"waveform": list(outputs.waveform or ())}),
        Event(event="TRANSCRIPT", data={"text": text, "translation": None}),
        *(Event(event="TOPIC", data={"title": topic.title}) for topic in outputs.topics),
        Event(event="FINAL_TITLE", data={"title": outputs.title}),
        Event(event="FINAL_SHORT_SUMMARY", data={"short_summary": outputs.short_summary}),
        Event(event="FINAL_LONG_SUMMARY", data={"long_summary": outputs.long_summary}),
        Event(event="STATUS", data={"value": "ended"}),
    )


def webhook(outputs: Outputs, transcript_id: str = TRANSCRIPT, **changes: Any) -> Effect:
    """A delivery with the contract's fields."""
    body = {
        "event": "transcript.completed",
        "event_id": transcript_id.replace("-", ""),
        "timestamp": "2026-01-01T10:00:00.5+00:00",
        "transcript": {
            "id": transcript_id,
            "duration": outputs.duration_ms,
            "title": outputs.title,
            "long_summary": outputs.long_summary,
            "topics": [
                {"title": t.title, "summary": t.summary, "timestamp": t.timestamp, "duration": 0}
                for t in outputs.topics
            ],
            "frontend_url": f"http://ui/transcripts/{transcript_id}",
        },
        "room": {"id": "room-1", "name": "r"},
    }
    signature = f"t=1767261600,v1={'ab' * 32}"
    headers = {"X-Webhook-Signature": signature, "Content-Type": "application/json"}
    payload = {"url": "http://hook", "headers": headers, "body": {**body, **changes}}
    return Effect(kind="webhook", key="transcript.completed", payload=payload)


def zulip(outputs: Outputs, transcript_id: str = TRANSCRIPT) -> Effect:
    """A message as legacy writes it."""
    topics = "".join(f"1. [00:{int(t.timestamp):02d}] {t.title}\n" for t in outputs.topics)
    content = (
        f"# Reflector – {outputs.title}\n\n**Date**: <time:2026-01-01T10:00:00+00:00>\n"
        f"**Link**: [ui](http://ui/transcripts/{transcript_id})\n\n"
        f"```spoiler Summary\n{outputs.long_summary}\n```\n\n```spoiler Topics\n{topics}```\n"
    )
    payload = {"type": "stream", "to": "general", "topic": "meetings", "content": content}
    return Effect(kind="zulip_message", key="meetings", payload=payload)


def effects_of(outputs: Outputs, transcript_id: str = TRANSCRIPT) -> tuple[Effect, ...]:
    """What a good run does to the world."""
    mp3 = Effect(kind="s3_put", key=f"{transcript_id}/audio.mp3", size_bytes=543_212)
    return (mp3, zulip(outputs, transcript_id), webhook(outputs, transcript_id))


def outputs_of(words: Iterable[Word] | None = None, **changes: Any) -> Outputs:
    """Finished outputs over `words`."""
    spoken = tuple(words if words is not None else words_of())
    half = len(spoken) // 2
    topics = (
        Topic(id="t1", title="Shipping and Audit", summary="The team ships on Friday.",
              timestamp=0.3, duration=0, words=spoken[:half]),
        Topic(id="t2", title="Finance and Launch", summary="Finance pays ten percent more.",
              timestamp=60.0, duration=0, words=spoken[half:]),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "participants": (
            Participant(id="p0", speaker=0, name="Ana Archer"),
            Participant(id="p1", speaker=1, name="Bob Brown"),
        ),
        "duration_ms": 33933.69,
        "waveform": tuple((n % 10) / 10 for n in range(254)),
        "words": spoken,
        "topics": topics,
        "title": "Audit and Launch Planning",
        "short_summary": "Ana and Bob agreed to ship on Friday; the audit costs 1200 euro.",
        "long_summary": "# Quick recap\n\nThe team will not ship before the audit at 14:30.\n",
        "webvtt": "WEBVTT\n\n00:00:00.300 --> 00:00:01.100\n<v Speaker0>We ship\n",
        "row": {"id": TRANSCRIPT, "status": "ended", "source_language": "en",
                "target_language": "en", "audio_location": "storage", "zulip_message_id": 7},
    }  # fmt: skip
    return Outputs(**{**fields, **changes})


def steps_of(digests: Mapping[tuple[str, int | None], str]) -> tuple[StepRun, ...]:
    """Completed steps with their output digests."""
    return tuple(
        StepRun(name=name, track_index=track, output_digest=digest)
        for (name, track), digest in digests.items()
    )


def observation(outputs: Outputs | None = None, **changes: Any) -> Observation:
    """A completed English run of two tracks."""
    outputs = outputs if outputs is not None else outputs_of()
    fields: dict[str, Any] = {
        "recording": "rec",
        "role": "primary",
        "engine": "celery",
        "status": "completed",
        "language": "en",
        "track_count": 2,
        "outputs": outputs,
        "events": events_of(outputs),
        "effects": effects_of(outputs),
    }
    return Observation(**{**fields, **changes})


def said(*texts: str, language: str = "en", **changes: Any) -> Observation:
    """A run of which only the words matter."""
    return observation(Outputs(words=tuple(words_of(texts))), language=language,
                       events=(), effects=(), **changes)  # fmt: skip

"""Words and topics as they come back from where a step stored them."""

from __future__ import annotations

from typing import Any

from reflector_migrate.pipeline.contracts import Ref
from reflector_migrate.store.artifacts import Artifacts

Json = dict[str, Any]
WORD = ("text", "start", "end", "speaker")
TOPIC = ("id", "title", "summary", "timestamp", "duration", "transcript", "words")


def words_at(artifacts: Artifacts, ref: Ref) -> list[Json]:
    """Words in legacy's order of fields, their times floats: canonical JSON keeps neither."""
    return [_word(word) for word in artifacts.get(ref.ref)]


def as_topic(topic: Json) -> Json:
    """A topic in legacy's order of fields, all its times floats."""
    times = {name: float(topic[name]) for name in ("timestamp", "duration")}
    restored = {**topic, **times, "words": [_word(word) for word in topic["words"]]}
    return {name: restored[name] for name in TOPIC}


def _word(word: Json) -> Json:
    times = {name: float(word[name]) for name in ("start", "end")}
    return {name: {**word, **times}[name] for name in WORD if name in word}

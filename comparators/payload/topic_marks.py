"""A payload's topics, named as the run's own: two models need not find the same ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from comparators.captions import parse
from reflector_migrate.model import Observation, Topic

FIELDS = ("title", "summary", "timestamp", "duration")
"""What a webhook's topics tell of the run's own, besides their captions."""

_LISTED = re.compile(r"^\d+\. \[(\d{1,9}:\d{2}(?::\d{2})?)\] (.*)$", re.MULTILINE)
_LIST = re.compile(r"(?:^\d+\. \[\d{1,9}:\d{2}(?::\d{2})?\] .*\n?)+", re.MULTILINE)


def without_topics(value: Any, observation: Observation) -> Any:
    """A Zulip text with the run's own topic list named."""
    if not isinstance(value, str):
        return value
    listed = _LISTED.findall(value)
    if not listed and not observation.outputs.topics:
        return value
    return f"{_named(listed, observation.outputs.topics)}\n".join(_LIST.split(value))


def _named(listed: Sequence[tuple[str, str]], own: Sequence[Topic]) -> str:
    """What stands for a list of (time, title): whether it is the run's own, at its own times."""
    if [title for _, title in listed] != [topic.title for topic in own]:
        return f"<{len(listed)} topics, not the run's own>"
    pairs = zip(listed, own, strict=True)
    is_timely = all(abs(_seconds(time) - topic.timestamp) <= 1 for (time, _), topic in pairs)
    return "<own topics>" if is_timely else "<own topics, at other times>"


def _seconds(time: str) -> int:
    """Of mm:ss or hh:mm:ss."""
    return sum(int(part) * 60**power for power, part in enumerate(reversed(time.split(":"))))


def named_topics(value: Any, observation: Observation) -> Any:
    """A webhook's topics by their structure, where their titles are the run's own."""
    if isinstance(value, list | tuple):
        return [named_topics(item, observation) for item in value]
    if not isinstance(value, Mapping):
        return value
    named = {key: named_topics(item, observation) for key, item in value.items()}
    topics = value.get("topics")
    if isinstance(topics, list | tuple):
        named["topics"] = _topics_mark(topics, observation)
    return named


def _topics_mark(topics: Any, observation: Observation) -> Any:
    """The fields and types of all topics, and of each field whether it is the run's own."""
    own, sent = observation.outputs.topics, [t for t in topics if isinstance(t, Mapping)]
    shapes = {
        json.dumps({k: type(v).__name__.replace("int", "float") for k, v in sorted(t.items())})
        for t in sent
    }
    marks = {
        name: [t.get(name) for t in sent] == [getattr(t, name) for t in own] for name in FIELDS
    }
    marks["webvtt"] = [_said(t.get("webvtt")) for t in sent] == [_letters(t) for t in own]
    return {"own": marks, "shapes": [json.loads(shape) for shape in sorted(shapes)]}


def _said(webvtt: Any) -> str:
    """The letters of captions."""
    cues = parse(webvtt)[0] if isinstance(webvtt, str) else []
    return "".join("".join(cue.text for cue in cues).split())


def _letters(topic: Topic) -> str:
    """The letters of a topic's words."""
    return "".join("".join([word.text for word in topic.words]).split())

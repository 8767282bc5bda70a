"""A payload's topics, named as the run's own: two models need not find the same ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from comparators.webvtt import parse
from reflector_migrate.model import Observation, Topic

FIELDS = ("title", "summary", "timestamp", "duration")
"""What a webhook's topics tell of the run's own, besides their captions."""


def without_topics(value: Any, observation: Observation) -> Any:
    """A Zulip text with the run's own topic list and duration named."""
    if not isinstance(value, str):
        return value
    listed = re.findall(r"^\d+\. \[\d+:\d{2}(?::\d{2})?\] (.*)$", value, re.MULTILINE)
    own = [topic.title for topic in observation.outputs.topics]
    named = "<own topics>" if listed == own else f"<{len(listed)} topics, not the run's own>"
    if not listed and not own:
        return value
    parts = re.split(r"(?:^\d+\. \[\d+:\d{2}(?::\d{2})?\] .*\n?)+", value, flags=re.MULTILINE)
    return f"{named}\n".join(parts)


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

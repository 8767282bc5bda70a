"""What no text that people read may be: blank, or a language model's raw output.

Of every text a run stored: title, summaries, and each topic's title and summary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reflector_migrate.model import Observation

STRAY: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("thinking", re.compile(r"</?think(?:ing)?>|<\|(?:im_start|im_end|channel)\|>", re.I)),
    ("raw JSON", re.compile(r"\A\s*(?:```(?:json)?\s*)?[\[{]\s*(?:\"[^\"]*\"\s*:|\{)", re.I)),
    (
        "a refusal",
        re.compile(
            r"\bas an ai(?: language)? model\b"
            r"|\A\W*(?:i am|i'm|i\u2019m) (?:sorry|unable)\b"
            r".{0,40}\b(?:can't|cannot|can\u2019t|unable)"
            r"|\A\W*i (?:can't|cannot|can\u2019t) (?:assist|help|provide|summari[sz]e)\b"
            r"|\A\W*es tut mir leid.{0,40}\bnicht\b",
            re.I | re.S,
        ),
    ),
    ("no value", re.compile(r"\A\s*(?:none|null|undefined|nan)\s*\Z", re.I)),
)
"""What betrays a text that no model meant for people, and how it is called."""


def blank_topics(observation: Observation, field: str) -> int:
    """How many topics have nothing but blanks for a `title` or a `summary`."""
    return sum(not getattr(topic, field).strip() for topic in observation.outputs.topics)


def stray(observation: Observation) -> dict[str, str]:
    """By output (title, short_summary, long_summary, topics) the first thing wrong in it."""
    found: dict[str, str] = {}
    for output, text in texts(observation):
        for name, pattern in STRAY:
            if output not in found and pattern.search(text):
                found[output] = name
    return found


def texts(observation: Observation) -> Iterator[tuple[str, str]]:
    """(output, text) of all that people read and a model wrote."""
    outputs = observation.outputs
    for name in ("title", "short_summary", "long_summary"):
        yield name, getattr(outputs, name) or ""
    for topic in outputs.topics:
        yield "topics", topic.title
        yield "topics", topic.summary

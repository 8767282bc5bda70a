"""Exact: a topic's own fields follow its words, whatever the model called it.

Each side's topics are held against that side's words: a property the reference
keeps and the hypothesis breaks is a difference, so noise in the words is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from reflector_migrate.model import Finding, Observation, Topic

STEP = "detect_topics"
NEAR_S = 0.005

FAULTS: Mapping[str, str] = {
    "transcript/empty": "a topic's transcript is empty, its words are not",
    "transcript": "a topic's transcript is not what its words say",
    "timestamp/first": "the first topic does not begin with its first word",
    "timestamp": "a topic does not begin with its first word",
    "order": "topics are not in order of time",
    "words": "the topics' words are not the meeting's, in its order",
}


def topic_differences(reference: Observation, hypothesis: Observation) -> list[Finding]:
    """What only the hypothesis's topics do wrong; and durations of another kind."""
    broken = faults(hypothesis)
    broken -= faults(reference) if broken else set()
    mine, theirs = reference.outputs.topics, hypothesis.outputs.topics
    found = [_finding(fault, why) for fault, why in FAULTS.items() if fault in broken]
    if mine and theirs and _durations(mine) != _durations(theirs):
        found.append(_finding("duration", "durations are given otherwise"))
    return found


def faults(observation: Observation) -> set[str]:
    """Names of what is wrong with a run's topics against its own words."""
    topics = observation.outputs.topics
    spoken = [topic for topic in topics if topic.words]
    untold = [topic for topic in spoken if not topic.transcript.strip()]
    late = [abs(t.timestamp - t.words[0].start) > NEAR_S for t in spoken]
    checks = {
        "transcript/empty": any(word.text.strip() for topic in untold for word in topic.words),
        "transcript": not all(map(_says, spoken)),
        "timestamp/first": any(late[:1]),
        "timestamp": any(late[1:]),
        "order": any(a.timestamp > b.timestamp for a, b in pairwise(topics)),
        "words": not _make_up(observation),
    }
    return {name for name, is_broken in checks.items() if is_broken}


def _says(topic: Topic) -> bool:
    """Whether the topic's transcript, where it has one, is what its words say."""
    text = topic.transcript.strip()
    return not text or text == "".join([word.text for word in topic.words]).strip()


def _make_up(observation: Observation) -> bool:
    """Whether the topics' words are the meeting's: as many, each topic's first where it must be."""
    words, place = observation.outputs.words, 0
    for topic in observation.outputs.topics:
        if topic.words and (place >= len(words) or topic.words[0] != words[place]):
            return False
        place += len(topic.words)
    return place == len(words)


def _durations(topics: Sequence[Topic]) -> set[bool | None]:
    """Whether durations are given, and whether as more than zero."""
    return {None if topic.duration is None else topic.duration > 0 for topic in topics}


def _finding(fault: str, why: str) -> Finding:
    path = f"row/topics/{fault}"
    return Finding(path=path, public_path=path, step=STEP, message=why)

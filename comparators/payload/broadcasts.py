"""What events carry: the run's own outputs, in the fields that the other side's events have.

Values are held against the run's own outputs, because two language models need not
choose the same words; fields against the other side's events of that type. A title that
a reprocessed recording keeps is none of these: there the event publishes what is not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from comparators.payload.fields import (
    DURATION_TOLERANCE_MS,
    WAVEFORM_TOLERANCE,
    public,
    public_event,
)
from comparators.payload.records import is_within
from reflector_migrate.model import Event, Finding, Observation, Severity, Topic

TOPIC, TITLE, TRANSCRIPT = "TOPIC", "FINAL_TITLE", "TRANSCRIPT"
_OF_TOPIC = ("id", "title", "summary", "timestamp", "duration", "transcript")


def payload_differences(
    reference: Observation,
    hypothesis: Observation,
    step_of: Callable[[str], str],
    uncompared: Mapping[str, str],
) -> list[Finding]:
    """Payloads that contradict the run's own outputs on the hypothesis only, and their fields."""
    theirs = contradictions(hypothesis)
    mine = contradictions(reference) if theirs else {}
    found = [
        Finding(
            path=f"events/payload/{name}",
            public_path=f"events/payload/{name}",  # of our own table
            step=_teller(name, reference, hypothesis, step_of),
            severity=Severity.MAJOR,
            hypothesis=why,
            message=f"{name}: {why}",
            is_of_words=name == TRANSCRIPT,
        )
        for name, why in sorted(theirs.items())
        if name not in mine and not (name == TITLE and is_title_unsure(reference, hypothesis))
    ]
    is_kept = _is_title_kept(reference) and not _is_same_title(reference, hypothesis)
    if is_kept and _is_title_stored(hypothesis):
        found.append(_overwritten(step_of(TITLE)))
    named = {finding.path for finding in found}
    fields = _fields(reference, hypothesis, step_of, uncompared)
    return found + [finding for finding in fields if finding.path not in named]


def is_title_unsure(reference: Observation, hypothesis: Observation) -> bool:
    """The hypothesis alone published another title than its row has, which is the reference's.

    A reprocessed recording keeps its earlier title, and the reference's model may have
    chosen that very one again; or the hypothesis published a wrong one. Rows do not say which.
    """
    is_told_otherwise = _is_title_kept(hypothesis) and not _is_title_kept(reference)
    return is_told_otherwise and _is_same_title(reference, hypothesis)


def stored(observation: Observation) -> list[Event]:
    """The events kept in the row."""
    return [event for event in observation.events if event.stored]


def _teller(
    name: str, reference: Observation, hypothesis: Observation, step_of: Callable[[str], str]
) -> str:
    """The event's step; but an event equal to the reference's is contradicted by what is stored.

    Only the words have two writers: the merge publishes them, the topics store them.
    """
    published = [
        [e.data for e in stored(side) if e.event == name] for side in (reference, hypothesis)
    ]
    is_stored_so = name == TRANSCRIPT and published[0] == published[1]
    return "detect_topics" if is_stored_so else step_of(name.partition("/")[0])


def contradictions(observation: Observation) -> dict[str, str]:
    """Event types whose payload is not what the run itself stored, and how; of TOPIC by field."""
    own = own_values(observation)
    found = {}
    for event in stored(observation):
        field, value = own.get(event.event, ("", None))
        if value is None:
            continue
        if field not in event.data:
            found[event.event] = f"has no {field}"
        elif not agrees(event.data[field], value):
            found[event.event] = f"{field} is not the stored one"
    return found | _of_topics(observation)


def _is_title_kept(observation: Observation) -> bool:
    """Whether the row has another title than was published, and so one that was there before."""
    published, kept = _last_title(observation), observation.outputs.title
    return bool(published and kept) and not agrees(published, kept)


def _is_title_stored(observation: Observation) -> bool:
    published, kept = _last_title(observation), observation.outputs.title
    return bool(published and kept) and agrees(published, kept)


def _is_same_title(reference: Observation, hypothesis: Observation) -> bool:
    mine, theirs = reference.outputs.title, hypothesis.outputs.title
    return bool(mine and theirs) and agrees(theirs, mine)


def _last_title(observation: Observation) -> Any:
    published = [e.data.get("title") for e in stored(observation) if e.event == TITLE]
    return published[-1] if published else None


def _overwritten(step: str) -> Finding:
    return Finding(
        path=f"events/payload/{TITLE}",
        public_path=f"events/payload/{TITLE}",
        step=step,
        severity=Severity.MAJOR,
        hypothesis="the stored one",
        message=f"{TITLE}: the published title is stored, where the primary keeps an earlier one",
    )


def own_values(observation: Observation) -> Mapping[str, tuple[str, Any]]:
    """By event type the payload's field and the run's own value for it."""
    outputs = observation.outputs
    return {
        "DURATION": ("duration", outputs.duration_ms),
        "WAVEFORM": ("waveform", outputs.waveform),
        TRANSCRIPT: ("text", "".join([word.text for word in outputs.words])),
        TITLE: ("title", outputs.title),
        "FINAL_SHORT_SUMMARY": ("short_summary", outputs.short_summary),
        "FINAL_LONG_SUMMARY": ("long_summary", outputs.long_summary),
    }


def _of_topics(observation: Observation) -> dict[str, str]:
    """TOPIC events against the stored topics, one by one; only where there are as many."""
    published = [event.data for event in stored(observation) if event.event == TOPIC]
    topics = observation.outputs.topics
    if len(published) != len(topics):
        return {}
    pairs = list(zip(published, topics, strict=True))
    wrong = [name for name in _OF_TOPIC if any(not _tells(*pair, name) for pair in pairs)]
    if any("words" in data and len(data["words"] or ()) != len(t.words) for data, t in pairs):
        wrong.append("words")
    return {f"{TOPIC}/{name}": f"{name} is not the stored one" for name in wrong}


def _tells(data: Mapping[str, Any], topic: Topic, name: str) -> bool:
    return name not in data or bool(data[name] == getattr(topic, name))


def agrees(payload: Any, own: Any) -> bool:
    """Numbers within a frame, waveforms point by point, texts but for the blanks around them."""
    if isinstance(own, str):
        return isinstance(payload, str) and payload.strip() == own.strip()
    if isinstance(own, tuple):
        is_list = isinstance(payload, list | tuple) and len(payload) == len(own)
        return is_list and all(map(_is_near, payload, own))
    return isinstance(payload, int | float) and is_within(payload, own, DURATION_TOLERANCE_MS)


def _is_near(published: Any, own: float) -> bool:
    return isinstance(published, int | float) and is_within(
        published, own, WAVEFORM_TOLERANCE + 1e-9
    )


def _fields(
    reference: Observation,
    hypothesis: Observation,
    step_of: Callable[[str], str],
    uncompared: Mapping[str, str],
) -> list[Finding]:
    """Fields that all events of a type have on one side, and none or not all on the other."""
    differing = differing_fields(stored(reference), stored(hypothesis), lambda event: event.event)
    return [_field(*of, step_of) for of in differing if of[0] not in uncompared]


def differing_fields(
    reference: Sequence[Event], hypothesis: Sequence[Event], name_of: Callable[[Event], str]
) -> Iterator[tuple[str, str, str]]:
    """(event's name, field, missing or extra), of events that both sides have.

    Missing is what every event of the reference has and not every one of the hypothesis's;
    extra is what no event of the reference has.
    """
    before, after = _fields_by(reference, name_of), _fields_by(hypothesis, name_of)
    for name in sorted(set(before) & set(after)):
        missing = _in_all(before[name]) - _in_all(after[name])
        extra = set(chain(*after[name])) - set(chain(*before[name]))
        yield from ((name, field, "missing") for field in sorted(missing))
        yield from ((name, field, "extra") for field in sorted(extra))


def _fields_by(
    events: Sequence[Event], name_of: Callable[[Event], str]
) -> dict[str, list[set[str]]]:
    """The fields of each event, by its name."""
    fields: dict[str, list[set[str]]] = {}
    for event in events:
        fields.setdefault(name_of(event), []).append(set(event.data))
    return fields


def _in_all(fields: Sequence[set[str]]) -> set[str]:
    return fields[0].intersection(*fields[1:])


def _field(name: str, field: str, kind: str, step_of: Callable[[str], str]) -> Finding:
    return Finding(
        path=f"events/payload/{name}/{field}",
        public_path=f"events/payload/{public_event(name)}/{public(field)}",
        step=step_of(name),
        kind=kind,
        message=f"{name}: {field} is {kind}",
        is_of_words=name == TRANSCRIPT,
    )

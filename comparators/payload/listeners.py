"""What listeners get: broadcast events of both sides, field by field.

What is listened to need not be what is kept: a page shows the one, the row the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from comparators.payload.broadcasts import TITLE, TRANSCRIPT, agrees, differing_fields, own_values
from comparators.payload.fields import public, public_event
from reflector_migrate.model import Event, Finding, Observation, Severity


def broadcast(observation: Observation) -> list[Event]:
    """Events with a channel; a stored event that was broadcast too has one."""
    return [event for event in observation.events if event.channel]


def label(event: Event) -> str:
    """The event's type; a status carries its value, the user's bus its prefix."""
    name, value = type_of(event), event.data.get("value")
    named = f"{name}:{value}" if name == "STATUS" else name
    return f"user {named}" if _is_to_user(event) else named


def type_of(event: Event) -> str:
    """Reflector's own name of it, whatever the bus."""
    return event.event.removeprefix("TRANSCRIPT_") if _is_to_user(event) else event.event


def _is_to_user(event: Event) -> bool:
    parts = (event.channel or "ts").split(":")  # a namespace may stand before the bus's name
    return "user" in parts[:-1]


def broadcast_differences(
    reference: Observation, hypothesis: Observation, step_of: Callable[[str], str]
) -> list[Finding]:
    """What listeners of the hypothesis get otherwise: fields, values, whose bus it is."""
    messages = broadcast(reference), broadcast(hypothesis)
    wrong, known = (_contradictions(side, events) for side, events in
                    ((hypothesis, messages[1]), (reference, messages[0])))  # fmt: skip
    found = [
        _finding(name, "value", "changed", why, step_of)
        for name, why in sorted(wrong.items())
        if name not in known
    ]
    differing = differing_fields(*messages, label)
    found += [_finding(name, field, kind, "", step_of) for name, field, kind in differing]
    owners = [{_owner(e) for e in events if _is_to_user(e)} for events in messages]
    if all(owners) and owners[0] != owners[1]:
        found.append(_finding("user", "channel", "changed", "another user's bus", step_of))
    return found


def _owner(event: Event) -> str:
    return str(event.channel).rpartition(":")[2]


def _finding(name: str, field: str, kind: str, why: str, step_of: Callable[[str], str]) -> Finding:
    return Finding(
        path=f"events/broadcast/{name}/{field}",
        public_path=f"events/broadcast/{public_event(name)}/{public(field)}",
        step=step_of(name),
        severity=Severity.MAJOR,
        kind=kind,
        message=f"listeners get {name}: {why or f'{field} is {kind}'}",
        is_of_words=TRANSCRIPT in name,
    )


def _contradictions(observation: Observation, events: Sequence[Event]) -> dict[str, str]:
    """Labels of events whose value is not the one the run stored; a title's is unknown.

    A reprocessed recording keeps an earlier one.
    """
    own, found = own_values(observation), {}
    for event in events:
        field, value = own.get(type_of(event), ("", None))
        is_told = value is not None and field in event.data
        if is_told and type_of(event) != TITLE and not agrees(event.data[field], value):
            found[label(event)] = f"{field} is not the stored one"
    return found

"""Which task publishes which event: generated from the code, never written manually."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from reflector_migrate.conductor.events import PROGRESS
from reflector_migrate.model import STEP_SPECS, USER_EVENTS, StepSpec
from reflector_migrate.pipeline.contracts import EventData

UNPUBLISHED = frozenset({"WAVEFORM"})


class Entry(NamedTuple):
    """One event of one task; channels are those of the live namespace."""

    task: str
    event: str
    channels: tuple[str, ...]
    promise: str
    data_schema: dict[str, Any]


def event_dictionary() -> tuple[Entry, ...]:
    """Every event of every task, in the order of the steps."""
    models = {model.event: model for model in EventData.__subclasses__()}
    return tuple(
        Entry(
            spec.name,
            model.event,
            _channels(model),
            (model.__doc__ or "").strip(),
            model.model_json_schema(),
        )
        for spec in STEP_SPECS
        for model in map(models.__getitem__, _events_of(spec))
    )


def as_json() -> dict[str, Any]:
    """The dictionary as one document: task -> events -> JSON Schema of the data."""
    tasks: dict[str, Any] = {
        spec.name: {"description": spec.description, "events": {}} for spec in STEP_SPECS
    }
    for entry in event_dictionary():
        tasks[entry.task]["events"][entry.event] = {
            "channels": list(entry.channels),
            "description": entry.promise,
            "data": entry.data_schema,
        }
    return {"schema": "event-dictionary/1", "tasks": tasks}


def as_markdown() -> str:
    """The dictionary as a table for the documentation."""
    lines = ["| task | event | channels | data |", "|---|---|---|---|"]
    for entry in event_dictionary():
        fields = ", ".join(f"`{name}`" for name in entry.data_schema["properties"])
        channels = ", ".join(f"`{c}`" for c in entry.channels) or "none: kept in the row"
        lines.append(f"| {entry.task} | {entry.event} | {channels} | {fields} |")
    return "\n".join(lines) + "\n"


PREAMBLE = """# Events

Which task publishes which event. Printed by `migrate events`, from the code; never edited manually.

Channels are the primary's. In shadow each has the candidate's prefix (`shadow:` unless configured)
and the run's (`<run id>:`), so that no listener of production receives it. A message is
`{"event": ..., "data": ...}`.

On a user's channel the event is called `TRANSCRIPT_<event>`, and its data also have the
transcript's `id`. Legacy's events are published once per run. Each state of a step is published
once, with its own `id`. After `migrate retry` or `migrate rerun`, STATUS and the states of the
steps that run again are published again. The finalize that sets `error` after a failure publishes
STATUS only: the failed step has published `failed`, and the pipeline's own finalize has not run.
"""


def as_page() -> str:
    """The documentation's page: what it is, the table, and the JSON Schema of each event's data."""
    parts = [PREAMBLE, as_markdown()]
    for entry in {entry.event: entry for entry in event_dictionary()}.values():
        schema = json.dumps(entry.data_schema, indent=2, sort_keys=True)
        promise = entry.promise.splitlines()[0]
        parts.append(f"## {entry.event}\n\n{promise}\n\n```json\n{schema}\n```\n")
    return "\n".join(parts)


def _events_of(spec: StepSpec) -> tuple[str, ...]:
    return (*spec.events, PROGRESS) if spec.is_visible else spec.events


def _channels(model: type[EventData]) -> tuple[str, ...]:
    if model.event in UNPUBLISHED:
        return ()
    own = ("ts:<transcript_id>",)
    return (*own, "user:<user_id>") if model.event in USER_EVENTS else own

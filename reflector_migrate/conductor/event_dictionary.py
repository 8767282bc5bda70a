"""Which task tells listeners what: generated from the code, never written by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from reflector_migrate.conductor.events import (
    Duration,
    EventData,
    FinalLongSummary,
    FinalShortSummary,
    FinalTitle,
    PipelineProgress,
    Status,
    Topic,
    Transcript,
    Waveform,
)
from reflector_migrate.conductor.tasks.definitions import DESCRIPTIONS
from reflector_migrate.model import STEP_NAMES, VISIBLE_STEPS
from reflector_migrate.pipeline.services.events import USER_EVENTS

EVENTS_OF: Mapping[str, tuple[type[EventData], ...]] = {
    "get_recording": (Status,),
    "mixdown_tracks": (Duration,),
    "generate_waveform": (Waveform,),
    "merge_transcripts": (Transcript,),
    "detect_topics": (Topic,),
    "generate_title": (FinalTitle,),
    "generate_summary": (FinalShortSummary, FinalLongSummary),
    "finalize": (Status,),
}
"""The legacy pipeline's events, by the task that emits them."""

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
    return tuple(
        Entry(task, model.event, _channels(model), (model.__doc__ or "").strip(), _schema(model))
        for task in STEP_NAMES
        for model in (*EVENTS_OF.get(task, ()), *_progress(task))
    )


def as_json() -> dict[str, Any]:
    """The dictionary as one document: task -> events -> JSON Schema of the data."""
    tasks: dict[str, Any] = {
        name: {"description": DESCRIPTIONS[name], "events": {}} for name in STEP_NAMES
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

Which task tells listeners what. Printed by `migrate events`, from the code; never edited by hand.

Channels are the primary's. In shadow each has the candidate's prefix (`shadow:` unless configured),
so that nobody who listens to production hears of it. A message is `{"event": ..., "data": ...}`.
On a user's channel the event is called `TRANSCRIPT_<event>`, and its data carry the transcript's
`id` as well. Legacy's events are told once a run; each state of a step
once, with an `id` of its own. After `migrate retry` or `migrate rerun` the STATUS and the states of
what runs again are told anew. The finalize that sets `error` after a failure tells its STATUS only:
the step that failed has told `failed`, and the pipeline's own finalize is still to come.
"""


def as_page() -> str:
    """The documentation's page: what it is, the table, and the JSON Schema of each event's data."""
    parts = [PREAMBLE, as_markdown()]
    for entry in {entry.event: entry for entry in event_dictionary()}.values():
        schema = json.dumps(entry.data_schema, indent=2, sort_keys=True)
        promise = entry.promise.splitlines()[0]
        parts.append(f"## {entry.event}\n\n{promise}\n\n```json\n{schema}\n```\n")
    return "\n".join(parts)


def _progress(task: str) -> tuple[type[EventData], ...]:
    return (PipelineProgress,) if task in VISIBLE_STEPS else ()


def _channels(model: type[EventData]) -> tuple[str, ...]:
    if model.event in UNPUBLISHED:
        return ()
    own = ("ts:<transcript_id>",)
    return (*own, "user:<user_id>") if model.event in USER_EVENTS else own


def _schema(model: type[EventData]) -> dict[str, Any]:
    return model.model_json_schema()

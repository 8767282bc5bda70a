"""What a newer Reflector has and no comparison reads: its columns, events and classes, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reflector_migrate.model import STEP_SPECS
from reflector_migrate.pipeline.rows.columns import unknown_columns

Json = Mapping[str, Any]

KNOWN_EVENTS = frozenset(name for spec in STEP_SPECS for name in spec.events) | {
    "PIPELINE_PROGRESS"
}


def newer_parts(url: str, events: Iterable[Json], spans: Iterable[Json]) -> Iterator[str]:
    """`column …`, `event …` and `class …`, each where there are any.

    Columns are those of the database at `url`; `events` are a row's; `spans` are the plugin's
    messages, whose `classes` name what its worker has.
    """
    found: tuple[tuple[str, Sequence[str]], ...] = (
        ("column", unknown_columns(url)),
        ("event", sorted({str(event["event"]) for event in events} - KNOWN_EVENTS)),
        ("class", sorted({str(name) for span in spans for name in span.get("classes") or ()})),
    )
    return (f"{kind} {', '.join(names)}" for kind, names in found if names)

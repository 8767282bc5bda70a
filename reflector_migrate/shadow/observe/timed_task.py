"""The plugin's message about one task of the primary: what we read of it must be what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from reflector_migrate.model.frozen import Frozen
from reflector_migrate.store.documents import field_of


class TimedStep(Frozen):
    """One inner step."""

    name: str
    n: int = 0
    started: float = 0.0
    duration_s: float = 0.0
    ok: bool = True


class TimedTask(Frozen):
    """One task: fields that we use, each of its type where it is there."""

    task: str
    task_id: str = ""
    state: str | None = None
    root_id: str | None = None
    started: float | None = None
    duration_s: float | None = None
    retries: int | None = None
    spans: tuple[TimedStep, ...] | None = None
    calls: tuple[Mapping[str, Any], ...] | None = None


def what_is_wrong(message: Mapping[str, Any]) -> str:
    """The first field that is not as it must be, and why; empty where all are."""
    try:
        TimedTask.model_validate(message)
    except ValidationError as invalid:
        return field_of(invalid)
    return ""

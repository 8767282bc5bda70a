"""Attempts that a server forgets when a step is run again: what they used counts all the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain

from pydantic import ValidationError

from reflector_migrate.errors import UnreadableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import UNREADABLE, StepRun
from reflector_migrate.store.documents import field_of

PLACE = "attempts"


def keep(harness: Harness, run_id: str, steps: Sequence[StepRun]) -> None:
    """Keep what a run's workflow did in this go: before it is run again, and at its end."""
    go = harness.events.times_again(run_id)
    kept = [step.model_dump(mode="json") for step in steps]
    harness.artifacts.put(run_id, PLACE, str(go), kept)


def with_kept(harness: Harness, run_id: str, steps: Iterable[StepRun]) -> tuple[StepRun, ...]:
    """These attempts and those that were kept, each once, whatever the server still holds.

    Raises UnreadableError.
    """
    goes = range(harness.events.times_again(run_id) + 1)
    kept = chain.from_iterable(_of(harness, run_id, go) for go in goes)
    return tuple({_identity(step): step for step in chain(kept, steps)}.values())


def _of(harness: Harness, run_id: str, go: int) -> list[StepRun]:
    store = harness.artifacts
    found = store.find(run_id, PLACE, str(go))
    if found is None:
        return []
    try:
        return [StepRun.model_validate(step) for step in store.get(found.ref)]
    except ValidationError as invalid:
        what = f"the candidate's stored attempts: {field_of(invalid)}"
        raise UnreadableError(f"{UNREADABLE}{what}") from None


def _identity(step: StepRun) -> tuple[str | None, str, int | None, int, datetime | None]:
    """A step that is run again may keep its task's id: it ends at another time."""
    return step.input_ref, step.name, step.track_index, step.attempt, step.ended

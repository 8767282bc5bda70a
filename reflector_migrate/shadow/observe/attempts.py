"""Attempts that a server forgets when a step is run again: what they used counts all the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain

from reflector_migrate.harness import Harness
from reflector_migrate.model import StepRun

PLACE = "attempts"


def keep(harness: Harness, run_id: str, steps: Sequence[StepRun]) -> None:
    """Keep what a run's workflow did in this go: before it is run again, and at its end."""
    go = harness.events.times_again(run_id)
    kept = [step.model_dump(mode="json") for step in steps]
    harness.artifacts.put(run_id, PLACE, str(go), kept)


def with_kept(harness: Harness, run_id: str, steps: Iterable[StepRun]) -> tuple[StepRun, ...]:
    """These attempts and those that were kept, each once, whatever the server still holds."""
    goes = range(harness.events.times_again(run_id) + 1)
    kept = chain.from_iterable(_of(harness, run_id, go) for go in goes)
    return tuple({_identity(step): step for step in chain(kept, steps)}.values())


def _of(harness: Harness, run_id: str, go: int) -> list[StepRun]:
    store = harness.artifacts
    found = store.find(run_id, PLACE, str(go))
    return [StepRun.model_validate(step) for step in store.get(found.ref)] if found else []


def _identity(step: StepRun) -> tuple[str | None, str, int | None, int, datetime | None]:
    """A step that is run again may keep its task's id: it ends at another time."""
    return step.input_ref, step.name, step.track_index, step.attempt, step.ended

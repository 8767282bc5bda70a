"""Whether a candidate that failed could run at all: what both sides met blames neither."""

from __future__ import annotations

from collections.abc import Iterator

from reflector_migrate.model import STEP_NAMES, Observation, StepRun, spec_of


def why_it_could_not_run(reference: Observation, hypothesis: Observation) -> str | None:
    """The reason why a failed candidate says nothing about itself; None where it does.

    Every step that failed for good must be excused: a database of the harness's own was away
    for all of its last attempt, or its service failed the reference as well.
    """
    failed = tuple(_failed_for_good(hypothesis))
    reasons = [_excuse(step, reference) for step in failed]
    if not failed or None in reasons:
        return None
    return "could not run: " + "; ".join(sorted({reason for reason in reasons if reason}))


def _excuse(step: StepRun, reference: Observation) -> str | None:
    if step.cause == "outage":
        return f"{step.name} waited for a database of the harness's own until its time was over"
    if step.cause != "passing":
        return None
    met = sorted({other.name for other in reference.steps if _met_the_same(other, step)})
    return f"what {step.name} met, the primary met at {', '.join(met)}" if met else None


def _met_the_same(other: StepRun, step: StepRun) -> bool:
    """Whether an attempt of the reference's failed at the same step or at the same service."""
    if other.status not in ("failed", "timed_out"):
        return False
    return other.name == step.name or (
        _service(other.name) is not None and _service(other.name) == _service(step.name)
    )


def _service(step: str) -> str | None:
    return spec_of(step).service if step in STEP_NAMES else None


def _failed_for_good(observation: Observation) -> Iterator[StepRun]:
    last = {(step.name, step.track_index): step for step in observation.steps}
    yield from (step for step in last.values() if step.status in ("failed", "timed_out"))

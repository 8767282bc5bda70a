"""Steps that failed for good, were skipped or never ran, although the run completed."""

from __future__ import annotations

from collections.abc import Mapping

from reflector_migrate.model import STEP_NAMES, Engine, Finding, Observation, Severity, StepRun

Key = tuple[str, int | None]
"""A step's name and track."""

FAILED = frozenset({"failed", "timed_out"})


def undone(reference: Observation, hypothesis: Observation) -> list[Finding]:
    """Steps that failed or are missing on the hypothesis only."""
    mine, theirs = _last_attempts(reference), _last_attempts(hypothesis)
    failed = {name: step for (name, _), step in theirs.items() if step.status in FAILED}
    spared = {name for (name, _), step in mine.items() if step.status in FAILED}
    found = [_left_undone(step) for name, step in failed.items() if name not in spared]
    is_whole = hypothesis.engine is Engine.CONDUCTOR and bool(theirs)
    return found + _never_ran(mine, theirs) if is_whole else found


def _last_attempts(observation: Observation) -> dict[Key, StepRun]:
    """The last attempt of each step, by its name and track."""
    ordered = sorted(observation.steps, key=lambda step: step.attempt)
    return {(step.name, step.track_index): step for step in ordered}


def _never_ran(mine: Mapping[Key, StepRun], theirs: Mapping[Key, StepRun]) -> list[Finding]:
    """Steps that the reference completed, and that the hypothesis skipped or knows nothing of."""
    done = {name for (name, _), step in mine.items() if step.status == "completed"}
    ran = {name for (name, _), step in theirs.items() if step.status != "skipped"}
    return [_left_undone(StepRun(name=name, status="skipped")) for name in sorted(done - ran)]


def _left_undone(step: StepRun) -> Finding:
    why = f"{step.status}: {step.error or 'no reason given'}"
    return Finding(
        path=f"steps/{step.name}",
        public_path=f"steps/{step.name if step.name in STEP_NAMES else '*'}",
        step=step.name,
        severity=Severity.CRITICAL,
        kind="missing",
        reference="completed",
        hypothesis=step.status,
        message=f"{step.name} {'never ran' if step.status == 'skipped' else why}",
    )

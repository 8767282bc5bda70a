"""Steps that ran too often, that no definition has, that failed for good or never ran.

A step that failed, or whose worker was lost, runs again: that is a retry. One that
completed and still ran again has done its work twice, whatever became of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reflector_migrate.model import (
    STEP_NAMES,
    TRACK_STEPS,
    Engine,
    Finding,
    Observation,
    Severity,
    StepRun,
    spec_of,
)

Key = tuple[str, int | None]
"""A step's name and track."""

FAILED = frozenset({"failed", "timed_out"})
UNENDED = frozenset({"running", "cancelled"})


def repeated_steps(reference: Observation, hypothesis: Observation) -> list[Finding]:
    """One finding for each step, and track, that the hypothesis did too often or at all."""
    done, repeated = _completed(reference), _completed(hypothesis)
    tracks = reference.track_count or hypothesis.track_count
    return [*_too_often(done, repeated), *_unknown(done, repeated, tracks)]


def _completed(observation: Observation) -> Counter[Key]:
    """How often each completed, by its track; a track's step without one shows nothing."""
    return Counter(
        (step.name, step.track_index)
        for step in observation.steps
        if step.status == "completed"
        and not (step.name in TRACK_STEPS and step.track_index is None)
    )


def _too_often(reference: Counter[Key], hypothesis: Counter[Key]) -> Iterator[Finding]:
    for key, times in sorted(hypothesis.items(), key=str):
        runs = spec_of(key[0]).runs if key[0] in STEP_NAMES else 1
        allowed = max(runs, reference[key])
        if times > allowed:
            yield _extra(key, allowed, times, f"ran to its end {times} times, not {allowed}")


def _unknown(
    reference: Counter[Key], hypothesis: Counter[Key], tracks: int | None
) -> Iterator[Finding]:
    for key in sorted(hypothesis.keys() - reference.keys(), key=str):
        name, track = key
        if name not in STEP_NAMES:
            yield _extra(key, 0, hypothesis[key], "is not a step of the pipeline")
        elif tracks is not None and track is not None and track >= tracks:
            yield _extra(key, 0, hypothesis[key], f"ran, of {tracks} tracks")


def _extra(key: Key, reference: int, hypothesis: int, what: str) -> Finding:
    name, track = key
    return Finding(
        path=f"steps/{name}",
        public_path=f"steps/{name if name in STEP_NAMES else '*'}",
        step=name,
        severity=Severity.MAJOR,
        kind="extra",
        reference=reference,
        hypothesis=hypothesis,
        position=track,
        speaker=track,
        message=f"{name}{'' if track is None else f' {track}'} {what}",
    )


def missing_steps(reference: Observation, hypothesis: Observation) -> list[Finding]:
    """Steps that failed or are missing on the hypothesis only, although its run completed."""
    before, after = _last_attempts(reference), _last_attempts(hypothesis)
    spared = {step.name for step in before if step.status in FAILED}
    failed = {step.name: step for step in after if step.status in FAILED}
    found = [_missing(step) for name, step in failed.items() if name not in spared]
    ended = _completed(hypothesis)
    found += [
        _missing(step)
        for step in after
        if step.status in UNENDED and (step.name, step.track_index) not in ended
    ]
    if hypothesis.engine is Engine.CONDUCTOR and after:
        done = {step.name for step in before if step.status == "completed"}
        never = done - {step.name for step in after if step.status != "skipped"}
        found += [_missing(StepRun(name=name, status="skipped")) for name in sorted(never)]
        found += _missing_tracks(reference, after)
    return found


def _missing_tracks(reference: Observation, after: list[StepRun]) -> Iterator[Finding]:
    """Steps that did not run for each of the reference's tracks, of an account that names both."""
    ran = {(s.name, s.track_index) for s in after if s.status != "skipped"}
    if not {name for name, _ in ran} >= TRACK_STEPS:
        return
    for name in sorted(TRACK_STEPS):
        for track in range(reference.track_count or 0):
            if (name, track) not in ran:
                yield _missing(StepRun(name=name, track_index=track, status="skipped"))


def _last_attempts(observation: Observation) -> list[StepRun]:
    """The last attempt of each step and track."""
    ordered = sorted(observation.steps, key=lambda step: step.attempt)
    return list({(step.name, step.track_index): step for step in ordered}.values())


def _missing(step: StepRun) -> Finding:
    why = f"{step.status}: {step.error or 'no reason given'}"
    name = step.name if step.track_index is None else f"{step.name} {step.track_index}"
    return Finding(
        path=f"steps/{step.name}",
        public_path=f"steps/{step.name if step.name in STEP_NAMES else '*'}",
        step=step.name,
        severity=Severity.CRITICAL,
        kind="missing",
        reference="completed",
        hypothesis=step.status,
        position=step.track_index,
        speaker=step.track_index,
        message=f"{name} {'never ran' if step.status == 'skipped' else why}",
    )

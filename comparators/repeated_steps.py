"""Steps that ran to their end more often than they should, or that no definition has.

A step that failed, or whose worker was lost, runs again: that is a retry. One that
completed and still ran again has done its work twice, whatever became of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reflector_migrate.model import STEP_NAMES, TRACK_STEPS, Finding, Observation, Severity, spec_of

Key = tuple[str, int | None]


def overdone(reference: Observation, hypothesis: Observation) -> list[Finding]:
    """One finding for each step, and track, that the hypothesis did too often or at all."""
    mine, theirs = _completed(reference), _completed(hypothesis)
    tracks = reference.track_count or hypothesis.track_count
    return [*_too_often(mine, theirs), *_unknown(mine, theirs, tracks)]


def _completed(observation: Observation) -> Counter[Key]:
    """How often each completed, by its track; a track's step without one tells nothing."""
    return Counter(
        (step.name, step.track_index)
        for step in observation.steps
        if step.status == "completed"
        and not (step.name in TRACK_STEPS and step.track_index is None)
    )


def _too_often(mine: Counter[Key], theirs: Counter[Key]) -> Iterator[Finding]:
    for key, times in sorted(theirs.items(), key=str):
        runs = spec_of(key[0]).runs if key[0] in STEP_NAMES else 1
        allowed = max(runs, mine[key])
        if times > allowed:
            yield _finding(key, allowed, times, f"ran to its end {times} times, not {allowed}")


def _unknown(mine: Counter[Key], theirs: Counter[Key], tracks: int | None) -> Iterator[Finding]:
    for key in sorted(theirs - mine, key=str):
        name, track = key
        if key in mine:
            continue
        if name not in STEP_NAMES:
            yield _finding(key, 0, theirs[key], "is no step of the pipeline")
        elif tracks is not None and track is not None and track >= tracks:
            yield _finding(key, 0, theirs[key], f"ran, of {tracks} tracks")


def _finding(key: Key, mine: int, theirs: int, what: str) -> Finding:
    name, track = key
    return Finding(
        path=f"steps/{name}",
        public_path=f"steps/{name if name in STEP_NAMES else '*'}",
        step=name,
        severity=Severity.MAJOR,
        kind="extra",
        reference=mine,
        hypothesis=theirs,
        position=track,
        speaker=track,
        message=f"{name}{'' if track is None else f' {track}'} {what}",
    )

"""When each step ran on either side, on one axis: plain numbers for any renderer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reflector_migrate.model import STEP_NAMES, Side, StepRun


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of one side; seconds from that side's start. Queue first, then the run."""

    step: str
    track_index: int | None
    queued_s: float
    started_s: float
    ended_s: float
    status: str
    attempts: int

    @property
    def run_s(self) -> float:
        """How long it executed."""
        return max(0.0, self.ended_s - self.started_s)

    @property
    def wait_s(self) -> float:
        """How long it waited to be picked up."""
        return max(0.0, self.started_s - self.queued_s)


def bars(side: Side) -> list[Bar]:
    """The steps with known times, in the order in which they were queued."""
    timed = [step for step in side.steps if step.timed != "unknown" and step.started and step.ended]
    zero = side.started or min((s.queued or s.started for s in timed if s.started), default=None)
    last = _last_attempts(timed)
    found = [_bar(step, zero, attempts) for step, attempts in last if zero is not None]
    return sorted(found, key=lambda bar: (bar.queued_s, STEP_NAMES.index(bar.step)))


def length_s(*sides: Side) -> float:
    """The longest side's last end in seconds; 0 when nothing is known."""
    return max((bar.ended_s for side in sides for bar in bars(side)), default=0.0)


def _last_attempts(steps: list[StepRun]) -> list[tuple[StepRun, int]]:
    latest: dict[tuple[str, int | None], tuple[StepRun, int]] = {}
    for step in steps:
        key = (step.name, step.track_index)
        known = latest.get(key)
        is_later = known is None or step.attempt >= known[0].attempt
        latest[key] = (
            step if is_later or known is None else known[0],
            (known[1] if known else 0) + 1,
        )
    return [entry for entry in latest.values() if entry[0].name in STEP_NAMES]


def _bar(step: StepRun, zero: datetime, attempts: int) -> Bar:
    started = _since(zero, step.started)
    queued = _since(zero, step.queued or step.started)
    ended = _since(zero, step.ended)
    return Bar(step.name, step.track_index, queued, started, ended, step.status, attempts)


def _since(zero: datetime, at: datetime | None) -> float:
    return 0.0 if at is None else (at - zero).total_seconds()

"""Many recordings at once through both real engines, each followed to its comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from reflector_migrate.experiments.compare import start_primary
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.harness import Harness
from reflector_migrate.model import Comparison, Observation, Role
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.settings import Settings
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import RunRecord, Runs
from tests.parity_world import Ear, Ran

LOOK_S = 0.2


@dataclass(frozen=True)
class Judged(Ran):
    """What both engines left, and what the collector made of it."""

    recording_id: str
    comparison: Comparison


def run_all(
    settings: Settings, names: Sequence[str], *, timeout_s: float
) -> dict[str, Judged | Exception]:
    """Stage and start all of them, then follow each to its comparison; who fails, says why."""
    ids = {}
    with following(settings, timeout_s) as follow:
        for name in names:
            recording = load_recording(settings.sandbox.recordings, name)
            set_stage(Harness.of(settings), recording)
            start_primary(settings, recording)
            ids[name] = recording.recording_id
        return {name: follow(recording_id) for name, recording_id in ids.items()}


@contextmanager
def following(
    settings: Settings, timeout_s: float
) -> Iterator[Callable[[str], Judged | Exception]]:
    """A way to wait for the comparison of a recording that is started within the block."""
    ear, since, deadline = Ear(settings.candidate.bus_url), now(), time.monotonic() + timeout_s
    try:
        yield lambda recording_id: _followed(settings, recording_id, since, deadline, ear)
    finally:
        ear.close()


def _followed(
    settings: Settings, recording_id: str, since: datetime, deadline: float, ear: Ear
) -> Judged | Exception:
    while time.monotonic() < deadline:
        ear.listen()
        run = Runs(settings.store_url).latest(recording_id)
        if run is not None and run.created_at >= since:
            if run.state == "compared":
                return _judged(settings, run, ear)
            if run.state in ("failed", "skipped"):
                return AssertionError(f"{run.state}: {run.reason}")
        time.sleep(LOOK_S)
    return TimeoutError("no verdict in time")


def _judged(settings: Settings, run: RunRecord, ear: Ear) -> Judged:
    found = Evidence(settings.store_url).comparison(run.run_id)
    assert found is not None
    return Judged(
        settings=settings,
        transcript_id=run.transcript_id,
        primary=_observed(settings, run, Role.PRIMARY),
        candidate=_observed(settings, run, Role.CANDIDATE),
        messages=ear.told(run.transcript_id),
        recording_id=run.recording_id,
        comparison=found,
    )


def _observed(settings: Settings, run: RunRecord, role: Role) -> Observation:
    """A side as the collector saw it."""
    seen = Evidence(settings.store_url).observation(run.run_id, role)
    assert seen is not None
    return seen

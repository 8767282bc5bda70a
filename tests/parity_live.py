"""Many recordings at once through both real engines, each followed to its comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.experiments.compare import start_primary
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.gate import judge
from reflector_migrate.judge.gates.rules import ALL
from reflector_migrate.model import STEP_NAMES, Comparison, Observation, Role
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.gate_rules import rules_in_force
from reflector_migrate.shadow.nightly.gating import not_first, stored_evidence
from reflector_migrate.store.audit import Audit
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


def assert_gates_hear(settings: Settings, complete: str, broken: str) -> None:
    """Real runs on this server reach the gates as evidence, by the build and under its rules.

    A complete pair says what each of its measures found, with the times of steps that both ran; a
    pair that ended early says that, and nothing of its outputs.
    """
    lines = stored_evidence(Harness.of(settings))
    of = {
        name: [line for line in lines if line.recording == recording_id]
        for name in (complete, broken)
        if (recording_id := load_recording(settings.sandbox.recordings, name).recording_id)
    }
    assert {line.origin for line in lines} == {"sandbox"}
    assert {line.builds["candidate"] for line in lines} == {build_hash()}
    late = not_first(Harness.of(settings), build_hash(), rules_in_force(settings))
    assert not late, (late, Audit(settings.store_url).all())
    ended_early = {line.measure for line in of[broken]}
    assert ended_early == {"completion", "coverage"}, (ended_early, lines[-8:])
    said = {line.measure: line for line in of[complete]}
    assert said["coverage"].coverage == "compared"
    assert said["row"].exact_findings == said["side_effects"].exact_findings == 0
    timed = {measure.partition("/")[2] for measure in said if measure.startswith("latency/")}
    assert "transcribe_track" in timed <= set(STEP_NAMES), timed
    run = judge(lines, rules_in_force(settings))
    cohort = max(run.cohorts, key=lambda one: one.recordings)  # others ran by other settings
    found = {g.gate: g for g in run.gates if run.cohorts[g.cohort] is cohort and g.stratum == ALL}
    assert (found["row"].value, found["completion"].value) == (0, 0)
    assert found["latency"].n == found["row"].n == found["completion"].n
    assert found["coverage"].n > found["row"].n


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

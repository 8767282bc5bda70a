"""Two legacy runs of a recording and no candidate, for the noise floor alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.errors import ConfigurationError, MigrateError
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.experiments.secondary import start_pair
from reflector_migrate.harness import Harness
from reflector_migrate.judge.cross_run import divergences
from reflector_migrate.model import Observation, Role
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.sandbox.recordings import FixtureRecording
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.noise_floors import conditions, pair_of
from reflector_migrate.shadow.observe.sides import legacy_view, observe_primary, secondary_of
from reflector_migrate.shadow.recover.heal import NoteEnd, apply
from reflector_migrate.store.aa_pairs import LegacyPair, SecondaryRun
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord

LOOK_S = 0.2


@contextmanager
def without_candidate(settings: Settings) -> Iterator[None]:
    """The kill switch on: the primary's announcements start nothing."""
    switch = settings.shadow.kill_switch_file
    if switch is None:
        hint = "set it in migrate.toml"
        raise ConfigurationError("shadow.kill_switch_file is not set", hint=hint)
    switch.touch()
    try:
        yield
    finally:
        switch.unlink(missing_ok=True)


class Accounts(NamedTuple):
    """What both legacy runs did, beside how they were started and the primary's run."""

    primary: Observation
    secondary: Observation
    started: SecondaryRun
    run: RunRecord


def legacy_accounts(harness: Harness, recording: FixtureRecording, timeout_s: float) -> Accounts:
    """Run both and observe them; MigrateError unless both complete in time."""
    set_stage(harness, recording)
    started = start_pair(harness, recording)
    run = _ended(harness, recording, started, timeout_s)
    second = secondary_of(harness, run)
    primary = observe_primary(harness, run)
    secondary = second.observe() if second else None
    if secondary is None or (primary.status, secondary.status) != ("completed", "completed"):
        raise MigrateError(f"{recording.name}: a legacy run did not complete")
    return Accounts(primary, secondary, started, run)


def legacy_pair(harness: Harness, recording: FixtureRecording, timeout_s: float) -> LegacyPair:
    """Run both, and keep how far they lie apart; MigrateError unless both complete in time."""
    primary, secondary, started, run = legacy_accounts(harness, recording, timeout_s)
    told = conditions(harness.settings, primary)
    between = divergences(primary, secondary)
    pair = pair_of(primary, secondary, run, told, started.came_first, between)
    if pair is None:
        raise MigrateError(f"{recording.name}: a legacy run did not complete")
    harness.legacy_pairs.add(pair)
    return pair


def _ended(
    harness: Harness, recording: FixtureRecording, started: SecondaryRun, timeout_s: float
) -> RunRecord:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        run = _record(harness.settings, recording, started)
        second = secondary_of(harness, run)
        if (
            second
            and _look(harness, run, Role.PRIMARY)
            and (_look(second.harness, second.run, Role.SECONDARY))
        ):
            return run
        time.sleep(LOOK_S)
    raise MigrateError(f"{recording.name}: two legacy runs did not end within {timeout_s:.0f} s")


def _look(harness: Harness, run: RunRecord, role: Role) -> bool:
    """Note an end that is seen for the first time; whether nothing more can follow."""
    view = legacy_view(harness, run, role)
    if view.has_ended and view.ended_at is None:
        apply(harness, run, NoteEnd(role))
    return view.is_over(now())


def _record(settings: Settings, recording: FixtureRecording, started: SecondaryRun) -> RunRecord:
    """The primary's run as the dispatcher would have claimed it; nothing of it is stored."""
    row = Rows.at(settings.reflector.database_url or "").transcript_of(recording.recording_id)
    return RunRecord(
        run_id=started.root_id,
        claim=started.root_id,
        recording_id=recording.recording_id,
        transcript_id=row.id if row else "",
        namespace=settings.candidate.namespace,
        build=build_hash(),
        state="started",
        primary_task_id=started.root_id,
    )

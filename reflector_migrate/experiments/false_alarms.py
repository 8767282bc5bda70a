"""Unaltered candidates beside unaltered secondaries, with noise on: who is flagged how often.

Floors come from legacy pairs of their own, run first; then each trial runs a recording
three times, and its secondary and its candidate are judged by those same floors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from reflector_migrate.errors import MigrateError
from reflector_migrate.experiments.compare import compare_in_sandbox
from reflector_migrate.experiments.false_alarm_test import (
    Tally,
    Trial,
    judge_noisy,
    judge_quiet,
    tally,
)
from reflector_migrate.experiments.legacy_pairs import legacy_pair, without_candidate
from reflector_migrate.experiments.noise import Noise, set_noise
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.noise import NoiseFloors, floors_of
from reflector_migrate.judge.waivers import Waiver
from reflector_migrate.model import Frozen, GateVerdict, Observation, Role
from reflector_migrate.sandbox.recordings import FixtureRecording, load_recording
from reflector_migrate.shadow.waiver_files import waivers_in_force
from reflector_migrate.store.aa_pairs import LegacyPair
from reflector_migrate.store.clock import now

RECORDINGS = (
    "zero-start", "silent-track", "screen-share", "consent-denied", "pair-late-joiner",
    "three-voices",
)  # fmt: skip
"""One stratum (2 to 4 tracks, English, short), so that few pairs make a floor."""

Say = Callable[[str], None]
T = TypeVar("T")


class FalseAlarms(Frozen):
    """Everything that was measured, and the verdict with its reasons."""

    verdict: GateVerdict
    why: tuple[str, ...]
    noise: dict[str, float | bool]
    defects: tuple[str, ...]
    recordings: tuple[str, ...]
    calibration_pairs: int
    floors: dict[str, float]
    noisy: Tally
    quiet: Tally
    p_value: float
    legacy_share: tuple[float, float, float]
    candidate_share: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of what to run; `jobs` recordings at a time."""

    pairs: int
    calibration: int
    quiet: int
    noise: Noise
    recordings: Sequence[str] = RECORDINGS
    jobs: int = 2
    timeout_s: float = 300.0
    defects: tuple[str, ...] = ()


def measure(harness: Harness, plan: Plan, say: Say) -> FalseAlarms:
    """Without noise, then floors, then trials; the stand-ins' noise is off in the end."""
    run = Run(harness, plan, say)
    set_noise(harness, None)
    try:
        quiet = run.trials(plan.quiet, None, "quiet")
        set_noise(harness, plan.noise)
        pairs = run.calibrate(plan.calibration)
        floors = floors_of((pair.stratum, pair.divergences) for pair in pairs)
        noisy = run.trials(plan.pairs, floors, "noisy")
    finally:
        set_noise(harness, None)
    return _result(plan, pairs, floors, noisy, quiet)


def _result(
    plan: Plan, pairs: Sequence[LegacyPair], floors: NoiseFloors, noisy: Tally, quiet: Tally
) -> FalseAlarms:
    verdicts = (judge_noisy(noisy), judge_quiet(quiet))
    order = (GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.PASS)
    return FalseAlarms(
        verdict=min((verdict for verdict, _ in verdicts), key=order.index),
        why=tuple(why for _, why in verdicts),
        noise={"seed": plan.noise.seed, "wer": plan.noise.wer, "rate": plan.noise.rate,
               "breaks_facts": plan.noise.breaks_facts},
        defects=plan.defects,
        recordings=tuple(plan.recordings),
        calibration_pairs=len(pairs),
        floors=_widest(floors),
        noisy=noisy,
        quiet=quiet,
        p_value=noisy.p_value,
        legacy_share=noisy.shares("legacy"),
        candidate_share=noisy.shares("candidate"),
    )  # fmt: skip


def _widest(floors: NoiseFloors) -> dict[str, float]:
    """By measure; of several strata the widest."""
    found: dict[str, float] = {}
    for (name, _), floor in floors.floors.items():
        found[name] = max(found.get(name, 0.0), floor.p99)
    return found


@dataclass(frozen=True, slots=True)
class Run:
    """The work itself: a recording is never run twice at once, `jobs` of them are."""

    harness: Harness
    plan: Plan
    say: Say

    def calibrate(self, pairs: int) -> list[LegacyPair]:
        """Legacy pairs without a candidate; a lost one is reported and left out."""

        def one(recording: FixtureRecording) -> LegacyPair:
            return legacy_pair(self.harness, recording, self.plan.timeout_s)

        with without_candidate(self.harness.settings):
            return [pair for pair in self._all(pairs, one, "floor") if pair is not None]

    def trials(self, number: int, floors: NoiseFloors | None, what: str) -> Tally:
        """Each recording in its turn: primary, secondary and candidate, then both judged."""

        def one(recording: FixtureRecording) -> Trial:
            return self._trial(recording, floors)

        done = list(self._all(number, one, what))
        return tally([trial for trial in done if trial is not None], done.count(None))

    def _trial(self, recording: FixtureRecording, floors: NoiseFloors | None) -> Trial:
        name = recording.name
        timeout_s = self.plan.timeout_s
        run_id = compare_in_sandbox(self.harness, name, timeout_s=timeout_s, secondary=True).run_id
        sides = {role: self.harness.evidence.observation(run_id, role) for role in Role}
        waivers = waivers_in_force(self.harness.settings.judge.waivers_file)
        return judged(name, sides, floors, waivers, now().date())

    def _all(
        self, number: int, one: Callable[[FixtureRecording], T], what: str
    ) -> Iterator[T | None]:
        """`number` results, each recording as often as another; None for one that was lost."""
        names = self.plan.recordings
        shares = [number // len(names) + (n < number % len(names)) for n in range(len(names))]

        def of(place: int) -> list[T | None]:
            recording = load_recording(self.harness.settings.sandbox.recordings, names[place])
            return [self._safely(one, recording, f"{what} {n + 1}") for n in range(shares[place])]

        with ThreadPoolExecutor(self.plan.jobs) as pool:
            for found in pool.map(of, range(len(names))):
                yield from found

    def _safely(
        self, one: Callable[[FixtureRecording], T], recording: FixtureRecording, what: str
    ) -> T | None:
        try:
            found = one(recording)
        except MigrateError as error:
            self.say(f"{recording.name} {what}: lost: {error.message}")
            return None
        said = (
            f": {found.legacy.verdict} {found.candidate.verdict}"
            if isinstance(found, Trial)
            else ""
        )
        self.say(f"{recording.name} {what}{said}")
        return found


def judged(
    name: str,
    sides: Mapping[Role, Observation | None],
    floors: NoiseFloors | None,
    waivers: Sequence[Waiver] = (),
    today: date | None = None,
) -> Trial:
    """Both runs against the primary; one that failed is judged too, as one that crashed.

    MigrateError, and the trial is lost, where the primary failed or a run did not end.
    """
    primary, secondary, candidate = (_ended(name, sides, role) for role in Role)
    if primary.status != "completed":
        raise MigrateError(f"{name}: the primary {primary.status}")
    legacy, other = (
        compare(primary, run, floors=floors, waivers=waivers, today=today)
        for run in (secondary, candidate)
    )
    return Trial(name, legacy, other)


def _ended(name: str, sides: Mapping[Role, Observation | None], role: Role) -> Observation:
    found = sides[role]
    if found is None or found.status in ("running", "missing"):
        raise MigrateError(f"{name}: the {role.value} did not end")
    return found

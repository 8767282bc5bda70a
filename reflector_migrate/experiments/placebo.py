"""The placebo: a third legacy run in the candidate's place, judged by every gate.

A gate that fails it would fail anything. A recording runs as a legacy pair twice: the first
pair is primary and secondary, the primary of the second one stands in for the candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from pydantic import Field

from reflector_migrate.errors import MigrateError
from reflector_migrate.experiments.legacy_pairs import legacy_accounts, without_candidate
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.gates.answers import GateRun
from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.gate import judge
from reflector_migrate.judge.gates.recorded import evidence_of
from reflector_migrate.judge.gates.rules import Rules
from reflector_migrate.judge.gates.spread import spreads
from reflector_migrate.judge.waivers import Waiver
from reflector_migrate.model import Comparison, Frozen, GateVerdict, Observation, Role
from reflector_migrate.sandbox.recordings import FixtureRecording, load_recording
from reflector_migrate.shadow.noise_floors import conditions, is_repeatable
from reflector_migrate.shadow.waiver_files import waivers_in_force
from reflector_migrate.store.clock import now

Say = Callable[[str], None]


class PlaceboRun(Frozen):
    """A placebo's result (migrate.placebo/1); `failed` names the gates that failed it.

    `spread_pp` is the standard deviation of each graded measure's excess, for the rules' `sd`.
    """

    schema_: Literal["migrate.placebo/1"] = Field(default="migrate.placebo/1", alias="schema")
    ok: bool
    exit_code: int
    build: str
    rules: str
    recordings: tuple[str, ...]
    lost: tuple[str, ...]
    failed: tuple[str, ...]
    spread_pp: dict[str, float]
    evidence: tuple[EvidenceLine, ...]

    model_config = Frozen.model_config | {"populate_by_name": True}


def run_placebo(
    harness: Harness, names: Sequence[str], rules: Rules, build: str, *,
    jobs: int, timeout_s: float, say: Say,
) -> PlaceboRun:  # fmt: skip
    """Each recording's placebo, `jobs` at a time, and what the gates say of all of them."""

    def one(name: str) -> Comparison | None:
        recording = load_recording(harness.settings.sandbox.recordings, name)
        try:
            found = placebo_of(harness, recording, timeout_s)
        except MigrateError as error:
            say(f"{name}: lost: {error.message}")
            return None
        say(f"{name}: {found.verdict.value}")
        return found

    with without_candidate(harness.settings), ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(one, names))
    return judged_placebo(
        [comparison for comparison in found if comparison is not None],
        [name for name, comparison in zip(names, found, strict=True) if comparison is None],
        rules, build, now().date().isoformat(),
    )  # fmt: skip


def placebo_of(harness: Harness, recording: FixtureRecording, timeout_s: float) -> Comparison:
    """One recording's comparison; MigrateError unless all four legacy runs complete in time."""
    first = legacy_accounts(harness, recording, timeout_s)
    third = legacy_accounts(harness, recording, timeout_s).primary
    found = as_placebo(
        first.primary,
        first.secondary,
        third,
        waivers=waivers_in_force(harness.settings.judge.waivers_file),
        is_repeatable=is_repeatable(conditions(harness.settings, first.primary)),
    )
    return found.model_copy(update={"recording": recording.name, "run_id": first.run.run_id})


def as_placebo(
    primary: Observation,
    secondary: Observation,
    third: Observation,
    *,
    waivers: Sequence[Waiver] = (),
    is_repeatable: bool = False,
) -> Comparison:
    """Three legacy accounts, compared as if the third were the candidate's."""
    at = now()
    return compare(
        primary,
        third.model_copy(update={"role": Role.CANDIDATE}),
        secondary=secondary,
        waivers=waivers,
        today=at.date(),
        compared_at=at,
        is_repeatable=is_repeatable,
    )


def judged_placebo(
    comparisons: Sequence[Comparison], lost: Sequence[str], rules: Rules, build: str, night: str
) -> PlaceboRun:
    """What the gates say: 0 unless one fails it (1), or nothing could be compared (4).

    `lost` are recordings that legacy did not complete: those say nothing.
    """
    lines = tuple(
        line for found in comparisons for line in evidence_of(found, night, origin="placebo")
    )
    failed = _failed(judge(lines, rules, origin="placebo"))
    code = 1 if failed else 0 if comparisons else 4
    return PlaceboRun(
        ok=code == 0,
        exit_code=code,
        build=build,
        rules=rules.digest,
        recordings=tuple(found.recording for found in comparisons),
        lost=tuple(lost),
        failed=failed,
        spread_pp={name: round(found.sd, 3) for name, found in spreads(lines).items()},
        evidence=lines,
    )


def _failed(run: GateRun) -> tuple[str, ...]:
    return tuple(
        f"{gate.gate} {gate.stratum}: {gate.why}"
        for gate in run.gates
        if gate.state is GateVerdict.FAIL and not gate.is_report_only
    )

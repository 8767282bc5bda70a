"""The whole migration in one sandbox: five phases, each asked of its real checklist and gates.

What is real: servers, workers, plugin, comparisons, gates, checklists, drills, routes, live
workflows, the outage. What is simulated is said in the log, each time it is: nights, the number
of recordings that they hold, and the proofs that take hours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.cutover import canary, checklist, cleanup, route_drills, routes, tripwire
from reflector_migrate.cutover.drills import drill_kill_switch
from reflector_migrate.cutover.items import State
from reflector_migrate.cutover.people import SIGNATURES, sign
from reflector_migrate.errors import MigrateError, RefusedError
from reflector_migrate.experiments.compare import compare_in_sandbox
from reflector_migrate.experiments.failover import Streamed, copies, run_stream
from reflector_migrate.experiments.placebo import judged_placebo, placebo_of
from reflector_migrate.experiments.rehearsal_terms import (
    LAXER,
    SETTINGS,
    in_share,
    rehearsal_rules,
)
from reflector_migrate.harness import Harness
from reflector_migrate.model import Comparison, Phase, Verdict
from reflector_migrate.pipeline.defects.registry import all_defects
from reflector_migrate.sandbox.recordings import FixtureRecording, load_recording
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.gate_rules import rules_in_force
from reflector_migrate.shadow.nightly.gating import note_rules
from reflector_migrate.shadow.nightly.proofs import record_defects_run, record_placebo
from reflector_migrate.shadow.recover.replay import announce
from reflector_migrate.store.clock import now

POOL = ("solo", "three-voices")
FLAWED, BAD = "twelve-tracks", "tracks_joined_in_string_order"
PER_NIGHT, NIGHTS = 50, 14
PEOPLE = ("rehearsal-ana", "rehearsal-ben")
TABLE_SEEN_S = 5.5
"""Every worker reads the routing table again within five seconds."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Rehearsal:
    """One rehearsal; `log` has every line that was said, `wrong` what went otherwise."""

    sandbox: Sandbox
    say: Say
    log: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    @property
    def settings(self) -> Settings:
        """Of the sandbox."""
        return self.sandbox.settings

    @property
    def harness(self) -> Harness:
        """Over them."""
        return self.sandbox.harness

    def run(self) -> bool:
        """All phases in their order; whether each came out as it must."""
        self._infrastructure()
        self._parallel()
        self._shadow()
        self._cutover()
        self._outage()
        self._cleanup()
        fault = self.harness.audit.fault()
        self._must("audit", not fault, fault or "the log of all this is intact")
        return not self.wrong

    def _infrastructure(self) -> None:
        for line in LAXER:
            self._tell(f"laxer than shipped: {line}")
        self._title("1 infrastructure")
        self._items(Phase.INFRASTRUCTURE, but={"kill switch drilled"})

    def _parallel(self) -> None:
        self._title("2 parallel")
        self._refused("the first step is refused with nothing but servers")
        found = [self._compared(name) for name in POOL]
        is_matched = all(one.verdict is Verdict.MATCHED for one in found)
        self._must(
            "A/A and candidate",
            is_matched,
            f"{len(found)} recordings, one beside a second legacy run",
        )
        self._placebo()
        drilled = drill_kill_switch(self.harness, announce, timeout_s=120)
        self._must("kill switch drill", drilled.is_passed, drilled.seen)

    def _shadow(self) -> None:
        self._title("3 shadow")
        good = self.harness.nights.documents([gist.run_id for gist in self.harness.nights.all()])
        self.sandbox.set_defects([BAD])
        bad = self._compared(FLAWED)
        blamed = bad.first_divergent_step
        step = blamed.step if blamed else "none"
        self._must("a bad candidate", bad.verdict is Verdict.DIVERGED, f"diverged at {step}")
        self._nights([*good, bad], "bad-build", of_defect=True)
        lines = checklist.run(self.harness, Phase.SHADOW)
        failed = [line.item.name for line in lines if line.answer.state is State.FAIL]
        self._must("the gates fail the bad build", bool(failed), ", ".join(failed))
        self._refused("the bad build is held")
        self.sandbox.set_defects([])
        mended = self._compared(FLAWED)
        self._must("the mended candidate", mended.verdict is Verdict.MATCHED, FLAWED)
        self._nights(good, build_hash())
        self._items(Phase.SHADOW, but={"effect on the primary", "cost and latency"})

    def _cutover(self) -> None:
        self._title("4 cutover")
        self._refused("the good build without drills and signatures")
        for name in SIGNATURES:
            for who in PEOPLE:
                sign(self.harness, name, who, "a rehearsal")
        self._tell(f"simulated: the signatures of {' and '.join(PEOPLE)}")
        way_back = route_drills.drill_rollback(self.harness)
        self._must("rollback drill", way_back.is_passed, way_back.seen)
        fallback = route_drills.drill_failover(self.harness, route_drills.send_start, 120)
        self._must("failover drill", fallback.is_passed, fallback.seen)
        self._items(Phase.CUTOVER, but=set())
        for share in canary.STEPS:
            self._step(share)

    def _step(self, share: float) -> None:
        table = canary.advance(self.harness, PEOPLE[0], f"rehearsal: {share:.0%}")
        self._must(f"canary {share:.0%}", table.share == share, f"version {table.version}")
        self._serve(share)
        at = canary.position(self.harness)
        is_served = at.served.ended + at.served.fell_back > 0 and not at.served.failed
        self._must(f"served at {share:.0%}", is_served, canary.told(at.served))
        self._must("tripwire", not tripwire.watch(self.harness), "no regression")

    def _serve(self, share: float) -> None:
        """One recording whose transcript is in the share, as a person would reprocess it."""
        one = in_share(load_recording(self.settings.sandbox.recordings, "solo"), share)
        time.sleep(TABLE_SEEN_S)
        done = self._stream([one], one)
        self._must("one recording", done.is_right, str(done))

    def _outage(self) -> None:
        self._title("5 outage, rollback, second cutover")
        solo = load_recording(self.settings.sandbox.recordings, "solo")
        recordings = copies(solo, 3, "outage")

        def disturb(number: int) -> None:
            if number == 1:
                self.sandbox.kill("conductor")
                self._tell("Conductor was killed")
            elif number == 2:
                self.sandbox.restart("conductor")
                self._tell("Conductor is back")

        done = run_stream(self.harness, recordings, disturb, like=recordings[0], timeout_s=300)
        self._must("failover", done.is_right, str(done))
        sent = routes.send_back(self.harness, PEOPLE[1], "rehearsal: the way back")
        self._must("rollback", sent.is_in_force and not sent.faults, ", ".join(sent.done))
        self._refused("no step is open while the back file is there")
        routes.allow_again(self.harness, PEOPLE[1], "rehearsal: go on")
        table = canary.advance(self.harness, PEOPLE[0], "rehearsal: second cutover")
        self._must("re-cutover", table.share == canary.STEPS[0], f"{table.share:.0%} again")

    def _cleanup(self) -> None:
        self._title("6 cleanup")
        parts = cleanup.plan_now(self.harness, 14)
        used = sum(part.use is cleanup.Use.USED for part in parts)
        self._must("cleanup plan", used > 0, f"{used} of {len(parts)} parts still used: none goes")
        lines = checklist.run(self.harness, Phase.CLEANUP)
        nights = next(line for line in lines if line.item.name == "nights with roles reversed")
        is_held = nights.answer.state is not State.PASS
        self._must("cleanup is held", is_held, nights.answer.why)

    def _compared(self, name: str) -> Comparison:
        return compare_in_sandbox(self.harness, name, secondary=name == POOL[0], timeout_s=300)

    def _placebo(self) -> None:
        rules = rules_in_force(self.settings)
        real = placebo_of(
            self.harness, load_recording(self.settings.sandbox.recordings, POOL[0]), 300
        )
        found = judged_placebo(
            [real.model_copy(update={"recording": f"placebo-{n}"}) for n in range(10)],
            (), rules, build_hash(), now().date().isoformat(),
        )  # fmt: skip
        self._must("placebo", not found.failed, "a third legacy run fails no gate")
        self._tell("simulated: the placebo's other nine recordings are the first one again")
        for build in (build_hash(), "bad-build"):
            record_placebo(
                self.harness, build=build, recordings=found.recordings, failed=found.failed,
                evidence="", rules=rules.digest, who="rehearsal",
            )  # fmt: skip
            known = {defect.name: "" for defect in all_defects()}
            record_defects_run(
                self.harness,
                build=build,
                conductor="rehearsal",
                found=known,
                who="rehearsal",
                evidence="",
            )
        self._tell(
            f"simulated: {len(known) - 1} of {len(known)} seeded defects; one is tried below"
        )

    def _nights(self, pool: Sequence[Comparison], build: str, *, of_defect: bool = False) -> None:
        """Nights whose recordings are drawn from real comparisons in turn, under new names."""
        store = self.harness.evidence
        note_rules(self.harness, build)
        first = now().date() + timedelta(days=1 if of_defect else 1 + NIGHTS)
        for number in range(PER_NIGHT * NIGHTS):
            drawn = pool[number % len(pool)]
            candidate = drawn.candidate.model_copy(update={"build": build})
            name = f"{build[:8]}-{number}"
            comparison = drawn.model_copy(update={
                "recording": name, "run_id": name, "candidate": candidate, "defects": (),
                "series": f"room-{number % 20}",
            })  # fmt: skip
            night = (first + timedelta(days=number // PER_NIGHT)).isoformat()
            store.add([], comparison, night)
        self._tell(f"simulated: {NIGHTS} nights of {PER_NIGHT} recordings, drawn from {len(pool)}")

    def _stream(self, recordings: Sequence[FixtureRecording], like: FixtureRecording) -> Streamed:
        return run_stream(self.harness, recordings, lambda _number: None, like=like, timeout_s=300)

    def _items(self, phase: Phase, but: set[str]) -> None:
        for line in checklist.run(self.harness, phase):
            answer, name = line.answer, line.item.name
            if name in but:
                self._tell(f"not rehearsed here: {name}: {answer.state}, {answer.why}")
            else:
                self._must(name, answer.state is State.PASS, f"{answer.value} {answer.why}")

    def _refused(self, what: str) -> None:
        try:
            canary.advance(self.harness, PEOPLE[0], what)
        except RefusedError as error:
            self._must(what, True, error.message)
        else:
            self._must(what, False, "the step was taken")

    def _must(self, what: str, is_so: bool, said: str) -> None:
        self._tell(f"{'✓' if is_so else '✗'} {what}: {said}".strip())
        if not is_so:
            self.wrong.append(what)

    def _title(self, name: str) -> None:
        self._tell(f"phase {name}")

    def _tell(self, line: str) -> None:
        stamped = f"{time.monotonic() - self.begun:5.0f} s  {line}"
        self.log.append(stamped)
        self.say(stamped)


def rehearse(settings: Settings, folder: Path, say: Say, version: str | None = None) -> Rehearsal:
    """Bring a sandbox up in `folder`, rehearse in it, and stop it again."""
    from reflector_migrate.sandbox.layout import ALL, ROUTES

    folder.mkdir(parents=True, exist_ok=True)
    changes = {**SETTINGS, "judge": {"gates_file": str(rehearsal_rules(folder))}}
    parts = (*ALL, *ROUTES)
    with Sandbox(
        settings,
        folder,
        shadow=True,
        with_=parts,
        changes=changes,
        conductor_version=version,
        say=say,
    ) as sandbox:
        made = Rehearsal(sandbox, say)
        try:
            made.run()
        except MigrateError as error:
            made.wrong.append(f"it ended early: {error.message}")
        return made

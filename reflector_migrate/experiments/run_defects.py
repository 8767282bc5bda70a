"""Runs seeded defects through the real workers of a sandbox and has each comparison judged.

A defect is switched on for its own recordings alone, so that the workers restart once a round
and not once a defect: in a round every recording serves one defect. First each recording runs
without any; it must match, and its primary is the secondary of the runs that follow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from reflector_migrate.errors import MigrateError
from reflector_migrate.experiments.compare import compare_in_sandbox
from reflector_migrate.experiments.defect_proofs import DefectProof, proof_of
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Comparison, Observation, Role, Verdict
from reflector_migrate.pipeline.defects.registry import Defect
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.noise_floors import conditions, is_repeatable
from reflector_migrate.shadow.waiver_files import waivers_in_force
from reflector_migrate.store.clock import now

TAKEN = 200  # what a webhook's receiver answers unless told otherwise

T = TypeVar("T")
R = TypeVar("R")
Say = Callable[[str], None]
Shown = Callable[[DefectProof], None]


def rounds(defects: Iterable[Defect]) -> list[list[Defect]]:
    """The defects, so divided that no recording occurs twice in a round; longest rounds first."""
    made: list[list[Defect]] = []
    for defect in sorted(defects, key=lambda d: -len(d.all_recordings)):
        for one in made:
            if not _recordings(one) & set(defect.all_recordings):
                one.append(defect)
                break
        else:
            made.append([defect])
    return made


def _recordings(defects: Iterable[Defect]) -> set[str]:
    return {name for defect in defects for name in defect.all_recordings}


@dataclass
class Proving:
    """One run over some defects in a sandbox that is up, with none switched on."""

    sandbox: Sandbox
    jobs: int
    timeout_s: float
    say: Say
    secondaries: dict[str, Observation] = field(default_factory=dict)
    unsound: dict[str, str] = field(default_factory=dict)
    is_stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def settings(self) -> Settings:
        """The settings that the sandbox's processes read."""
        return self.sandbox.settings

    @property
    def harness(self) -> Harness:
        """Over them."""
        return self.sandbox.harness

    def prove(self, defects: Sequence[Defect], shown: Shown) -> list[DefectProof]:
        """A proof for each defect, in the order given; `shown` gets each as it comes."""
        made: dict[str, DefectProof] = {}
        planned = rounds(defects)
        self._sound(sorted(_recordings(defects)))
        for number, group in enumerate(planned, start=1):
            self.say(f"round {number} of {len(planned)}: {', '.join(d.name for d in group)}")
            for proof in self._round(group):
                shown(proof)
                made[proof.defect] = proof
        return [made[defect.name] for defect in defects]

    def _sound(self, names: Sequence[str]) -> None:
        """Every recording without a defect: its verdict, and an account for a secondary."""
        self.say(f"{len(names)} recordings without a defect")
        list(self._side_by_side(self._sound_one, names))

    def _sound_one(self, name: str) -> None:
        try:
            found = self._run(name)
        except MigrateError as error:
            self.unsound[name] = f"{name} without a defect: {error.message}"
            return
        if found.verdict is not Verdict.MATCHED:
            self.unsound[name] = f"{name} without a defect: {found.verdict.value}"
        primary = self.harness.evidence.observation(found.run_id, Role.PRIMARY)
        if primary is not None:
            self.secondaries[name] = primary

    def _round(self, group: Sequence[Defect]) -> Iterable[DefectProof]:
        """Switch this round's defects on, each for its recordings, and run them side by side."""
        self.sandbox.set_defects(list(self._entries(group)))
        yield from self._side_by_side(self._one, group)

    def _side_by_side(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Results in order; an interrupt ends all that is under way within a look."""
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                yield from pool.map(work, items)
            except BaseException:
                self.is_stopped.set()
                raise

    def _look(self, _run: object, _words: str) -> None:
        if self.is_stopped.is_set():
            raise MigrateError("interrupted")

    def _entries(self, group: Sequence[Defect]) -> Iterable[str]:
        for defect in group:
            for name in defect.all_recordings:
                recording = load_recording(self.settings.sandbox.recordings, name)
                yield f"{defect.name}@{recording.recording_id}"

    def _one(self, defect: Defect) -> DefectProof:
        found: dict[str, Comparison] = {}
        trouble = "; ".join(filter(None, map(self.unsound.get, defect.all_recordings)))
        try:
            for name in () if trouble else defect.all_recordings:
                found[name] = self._judged(name, self._run(name, defect.inject))
        except MigrateError as error:
            trouble = error.message
        return proof_of(defect, found, trouble)

    def _run(self, name: str, inject: Mapping[str, int] | None = None) -> Comparison:
        run = partial(
            compare_in_sandbox, self.harness, name, timeout_s=self.timeout_s, progress=self._look
        )
        if not inject:
            return run()
        path = load_recording(self.settings.sandbox.recordings, name).room.webhook_path or "/"
        with StandinControl(self.settings.sandbox.control_url or "") as control:
            control.set_webhook_status(path, inject["webhook"])
            try:
                return run()
            finally:
                control.set_webhook_status(path, TAKEN)

    def _judged(self, name: str, found: Comparison) -> Comparison:
        """The same two accounts, judged with the primary's earlier run as the secondary."""
        evidence = self.harness.evidence
        sides = [evidence.observation(found.run_id, r) for r in (Role.PRIMARY, Role.CANDIDATE)]
        primary, candidate = sides
        if primary is None or candidate is None:
            raise MigrateError(f"{name}: run {found.run_id} left no observations")
        at = now()
        judged = compare(
            primary,
            candidate,
            secondary=self.secondaries.get(name),
            waivers=waivers_in_force(self.settings.judge.waivers_file),
            today=at.date(),
            compared_at=at,
            is_repeatable=is_repeatable(conditions(self.settings, primary)),
        )
        return judged.model_copy(update={"recording": name, "run_id": found.run_id})

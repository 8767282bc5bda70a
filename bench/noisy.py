"""Every seeded defect with noise on: whether it is still found, and laid to its step.

Recogniser and language model err anew at each call, so that every digest of what is said and
written differs. Floors are of legacy's own pairs, by stratum; each primary has a secondary. In
one process (see tests/defects_world.py); what was observed is kept, and can be judged again.

    python -m bench.noisy [--only NAME,NAME] [--kept FOLDER [--judge]] [--page FILE]
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from sqlalchemy import delete

from reflector_migrate.experiments.defect_proofs import DefectProof, proof_of
from reflector_migrate.experiments.noise import RATE, WER
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.cross_run import divergences
from reflector_migrate.judge.noise import NoiseFloors, floors_of, stratum_of
from reflector_migrate.model import Comparison, Observation, Role, Verdict
from reflector_migrate.pipeline.defects.registry import Defect, all_defects
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from reflector_migrate.store.base import writing
from reflector_migrate.store.tables import task_cache
from tests.defects_world import RECORDINGS, DefectsWorld
from tests.sources_world import local_s3

SEED = 7
RUNS, RUNS_ALONE = 4, 12
"""Legacy runs of a recording; more of one that is alone in its stratum."""
ALONE = frozenset({"solo", "german", "twelve-tracks"})
FAILS = frozenset({"unknown-sound"})
KEPT = ("faults", "noise", "requests", "daily", "replay")
PLAIN = "unaltered"


def main() -> int:
    """Run, judge, write the page; 1 unless every defect is caught, every unaltered run spared."""
    options = _options()
    wanted = set(filter(None, options.only.split(",")))
    defects = [d for d in all_defects() if not wanted or d.name in wanted]
    with tempfile.TemporaryDirectory(prefix="noisy-") as folder:
        kept = Kept(Path(options.kept or folder))
        if not options.judge:
            _run(defects, kept)
        noise = Noise(kept)
        proofs = [proof_of(d, {n: kept.judged(d.name, n, noise) for n in d.all_recordings})
                  for d in defects]  # fmt: skip
        plain = {n: kept.judged(PLAIN, n, noise) for n in _recordings(defects)}
    lines = list(_page(proofs, plain, noise))
    if options.page:
        Path(options.page).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return _exit_code(proofs, plain)


def _exit_code(proofs: Sequence[DefectProof], plain: Mapping[str, Comparison]) -> int:
    is_flagged = any(found.verdict is Verdict.DIVERGED for found in plain.values())
    return int(is_flagged or not all(proof.caught for proof in proofs))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="defects, a comma between")
    parser.add_argument("--kept", default="", help="where observations are kept")
    parser.add_argument("--judge", action="store_true", help="what is kept there, run nothing")
    parser.add_argument("--page", default="", help="a Markdown file to write")
    return parser.parse_args()


def _recordings(defects: Sequence[Defect]) -> list[str]:
    return sorted({name for defect in defects for name in defect.all_recordings})


@dataclass(frozen=True)
class Kept:
    """Observations in files: legacy's runs of a recording, and both sides of each trial."""

    folder: Path

    def keep(self, run: Observation, *path: str) -> None:
        """One observation under that path."""
        where = self.folder.joinpath(*path).with_suffix(".json")
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(run.model_dump_json(by_alias=True), encoding="utf-8")

    def read(self, *path: str) -> list[Observation]:
        """All that are kept under that path, in order of their names."""
        files = sorted(self.folder.joinpath(*path).glob("*.json"))
        return [Observation.model_validate_json(file.read_text("utf-8")) for file in files]

    def legacy_runs(self, name: str) -> dict[str, Observation]:
        """Every run of legacy that completed, the trials' primaries too; by where it is kept."""
        files = sorted((self.folder / "legacy" / name).glob("*.json"))
        files += sorted(self.folder.glob(f"trial/*/{name}/primary.json"))
        runs = {
            str(file): Observation.model_validate_json(file.read_text("utf-8")) for file in files
        }
        return {where: run for where, run in runs.items() if run.status == "completed"}

    def judged(self, defect: str, name: str, noise: Noise) -> Comparison:
        """A trial's candidate beside its primary, an earlier legacy run for a secondary."""
        candidate, primary = self.read("trial", defect, name)
        own = str(self.folder / "trial" / defect / name / "primary.json")
        earlier = [run for run in self.read("legacy", name) if run.status == primary.status][:1]
        second = [run.model_copy(update={"role": Role.SECONDARY}) for run in earlier]
        floors = noise.floors(without=own)
        found = compare(primary, candidate, secondary=next(iter(second), None), floors=floors)
        return found.model_copy(update={"recording": name})


class Noise:
    """How far each two legacy runs of a recording lie apart."""

    def __init__(self, kept: Kept) -> None:
        self._pairs = [
            ({one, two}, stratum_of(runs[one]), divergences(runs[one], runs[two]))
            for name in sorted(entry.name for entry in (kept.folder / "legacy").iterdir())
            for runs in [kept.legacy_runs(name)]
            for one, two in combinations(runs, 2)
        ]

    @property
    def pairs(self) -> int:
        """Of all recordings."""
        return len(self._pairs)

    def floors(self, *, without: str) -> NoiseFloors:
        """By stratum, of all pairs but those of one run: it is judged by others."""
        pairs = [(stratum, far) for who, stratum, far in self._pairs if without not in who]
        return floors_of(pairs)


def _run(defects: Sequence[Defect], kept: Kept) -> None:
    logging.disable(logging.CRITICAL)  # what a defect upsets is judged, not read
    with (
        tempfile.TemporaryDirectory(prefix="noisy-world-") as folder,
        local_s3() as s3_url,
        running_standins(RECORDINGS) as url,
        StandinControl(url) as control,
    ):
        control.set_noise("recogniser", wer=WER, seed=SEED)
        control.set_noise("llm", rate=RATE, seed=SEED)
        world = DefectsWorld.made(Path(folder), s3_url, control)
        for name in _recordings(defects):
            _timed(f"legacy {name}", _legacy, world, name, kept)
            _timed(f"{PLAIN} {name}", _trial, world, None, name, kept)
        for defect in defects:
            _forget(world)
            for name in defect.all_recordings:
                _timed(f"{defect.name} {name}", _trial, world, defect, name, kept)


def _timed(what: str, work: Callable[..., None], *given: object) -> None:
    begun = time.monotonic()
    work(*given)
    print(f"{what} {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)


def _forget(world: DefectsWorld) -> None:
    """No answer of an earlier run: the candidate's noise is its own."""
    with writing(world.settings.store_url) as connection:
        connection.execute(delete(task_cache))


def _legacy(world: DefectsWorld, name: str, kept: Kept) -> None:
    for number in range(0 if name in FAILS else RUNS_ALONE if name in ALONE else RUNS):
        world.control.reset(KEPT)
        run, _, _ = world._primary(load_recording(RECORDINGS, name), {})
        kept.keep(run, "legacy", name, f"{number:02}")


def _trial(world: DefectsWorld, defect: Defect | None, name: str, kept: Kept) -> None:
    """A primary of its own, and the candidate from the same start."""
    if defect is None:
        _forget(world)
    world.control.reset(KEPT)
    inject = dict(defect.inject or {}) if defect else {}
    primary, about, taken = world._primary(load_recording(RECORDINGS, name), inject)
    candidate = world.candidate(about, taken, (defect.name,) if defect else ())
    folder = ("trial", defect.name if defect else PLAIN, name)
    kept.keep(primary, *folder, "primary")
    kept.keep(candidate, *folder, "candidate")


def _page(
    proofs: Sequence[DefectProof], plain: dict[str, Comparison], noise: Noise
) -> Iterator[str]:
    caught = [p for p in proofs if p.caught]
    right = [p for p in proofs if p.first_divergent_step == p.expected_step]
    flagged = sorted(n for n, found in plain.items() if found.verdict is Verdict.DIVERGED)
    yield "# Seeded defects under noise"
    yield ""
    flagged_names = f": {', '.join(flagged)}" if flagged else ""
    yield f"""\
{len(caught)} of {len(proofs)} caught by the declared check, {len(right)} attributed to the right
step. Of {len(plain)} unaltered candidates {len(flagged)} were flagged{flagged_names}.

Noise: {WER:.0%} of words misheard, and each wording changed with chance {RATE}, newly drawn at each
call. Floors by stratum come from {noise.pairs} pairs of legacy runs, without the judged run. All
pairs of a dozen runs a recording are used. They are correlated, and so are worth fewer. The rate of
false alarms is measured with independent pairs: 2026-11-24-false-alarms.md.

- A step that fails on what an earlier one handed it is blamed itself. The earlier step's inputs are
  other words, so nothing shows whether its output had to differ.
- Words misheard beyond the floor are as much a difference as a defect, and come first.
- Everything runs in one process, with the harness's own reader, comparators and judge.

Made by `python -m bench.noisy --page docs/results/defects-in-noise.md`.
"""
    yield "| defect | on | verdict | caught by | first divergent step | what is not as it must be |"
    yield "|---|---|---|---|---|---|"
    for proof in proofs:
        yield _line(proof)


def _line(proof: DefectProof) -> str:
    verdicts = ", ".join(dict.fromkeys(proof.verdicts[name] for name in proof.recordings))
    wrong = [w for w in proof.why.split("; ") if w and not _is_spared_in_noise(w)]
    mark = "✓" if proof.caught and not wrong else "✗"
    cells = (
        f"{mark} `{proof.defect}`", ", ".join(proof.recordings), verdicts,
        ", ".join(proof.caught_by) or "-", proof.first_divergent_step or "none",
        "; ".join(wrong),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _is_spared_in_noise(why: str) -> bool:
    """A recording that must not be touched is, by noise alone: as it should be here."""
    return why.startswith("WITHIN_NOISE on ") and why.endswith(", which it must not touch")


if __name__ == "__main__":
    sys.exit(main())

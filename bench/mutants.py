"""Mutants of the steps' code in the candidate alone, and whether a comparison notices them.

`make mutants` samples them by a seed, runs each on synthetic recordings in one process (see
tests/defects_world.py) until a comparison diverges. It writes docs/results/mutants.md and, a row
per mutant, docs/results/mutants.csv. A mutant that no recording shows must be explained in
bench/mutants.toml, or the command fails.

    python -m bench.mutants [--at-most 200] [--minutes 30] [--seed 5] [--only STEP]
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import random
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.mutating import Mutant, mutants_of
from reflector_migrate.model import Verdict
from reflector_migrate.pipeline import runner, steps
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from tests.defects_world import RECORDINGS, DefectsWorld, Scene
from tests.sources_world import local_s3

FOLDER = Path(steps.__file__).parent
EXPLAINED = Path(__file__).with_name("mutants.toml")
PAGE = Path(__file__).parents[1] / "docs" / "results" / "mutants.md"
ROWS = PAGE.with_suffix(".csv")
COLUMNS = (
    "mutant", "line", "before", "after", "noticed_on", "noticed_by", "first_divergent_step",
    "why_not_noticed",
)  # fmt: skip
LIMIT_S = 60
ORDINARY = Scene("three-voices")
SCENES = (
    ORDINARY,
    Scene("three-voices", is_twice=True),
    Scene("pair-late-joiner"),
    Scene("zero-start"),
    Scene("consent-denied", is_twice=True),
    Scene("reprocess"),
    Scene("german"),
    Scene("four-overlapping"),
    Scene("unknown-sound"),
    Scene("no-words"),
    Scene("solo", fault="daily"),
)
FIRST: Mapping[str, Scene] = {
    "cleanup_consent": Scene("consent-denied", is_twice=True),
    "get_participants": Scene("pair-late-joiner"),
    "pad_track": Scene("zero-start"),
}
"""Where the ordinary recording is not the one that tells most."""
SOUND: set[Scene] = set()


def main() -> int:
    """Run the sample in several processes, write the page; 1 if a survivor has no explanation."""
    options = _options()
    if options.shard:
        _work(options)
        return 0
    begun, total = time.monotonic(), len(_all())
    results = [line for lines in _in_processes(options) for line in lines]
    order = [mutant.name for mutant in _all()]
    results.sort(key=lambda r: order.index(r["name"]))
    explained = tomllib.loads(EXPLAINED.read_text(encoding="utf-8")) if EXPLAINED.exists() else {}
    survived = [r for r in results if not r["caught_by"]]
    unexplained = [r for r in survived if r["name"] not in explained]
    if not options.only:
        PAGE.write_text(
            _page(results, survived, total, options, time.monotonic() - begun), encoding="utf-8"
        )
        _write_rows(results, explained)
    for line in unexplained:
        print(f"SURVIVED {line['name']} line {line['line']}: {line['before']}  ->  {line['after']}")
    print(f"{len(results)} mutants, {len(results) - len(survived)} noticed, "
          f"{len(survived) - len(unexplained)} explained, {len(unexplained)} not")  # fmt: skip
    return 1 if unexplained or not results else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at-most", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--only", default="", help="whose names begin so, commas between")
    parser.add_argument("--minutes", type=float, default=30, help="then no further mutant is tried")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--shard", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _all() -> list[Mutant]:
    sources = {name: (FOLDER / f"{name}.py").read_text(encoding="utf-8") for name in steps.STEPS}
    return [mutant for name, source in sources.items() for mutant in mutants_of(name, source)]


def _sample(options: argparse.Namespace) -> list[Mutant]:
    """At most so many of all mutants, the same ones for a seed."""
    known = _all()
    if options.only:
        return [m for m in known if m.name.startswith(tuple(options.only.split(",")))]
    return random.Random(options.seed).sample(known, min(options.at_most, len(known)))


def _in_processes(options: argparse.Namespace) -> Iterator[list[dict[str, Any]]]:
    """Each process takes every n-th mutant in a world of its own."""
    shards = [f"{number}/{options.processes}" for number in range(options.processes)]
    command = [sys.executable, "-m", "bench.mutants", *sys.argv[1:]]
    running = [
        subprocess.Popen([*command, "--shard", shard], stdout=subprocess.PIPE, text=True)
        for shard in shards
    ]
    for process in running:
        out, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"a process ended with {process.returncode}")
        yield [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def _work(options: argparse.Namespace) -> None:
    logging.disable(logging.CRITICAL)  # what a mutant upsets is judged, not read
    number, _, count = options.shard.partition("/")
    mine, until = (
        _sample(options)[int(number) :: int(count)],
        time.monotonic() + options.minutes * 60,
    )
    with (
        tempfile.TemporaryDirectory(prefix="mutants-") as folder,
        local_s3() as s3_url,
        running_standins(RECORDINGS) as url,
        StandinControl(url) as control,
    ):
        world = DefectsWorld.made(Path(folder), s3_url, control)
        for mutant in mine:
            if time.monotonic() > until:
                break
            print(json.dumps(_result(world, mutant)), flush=True)
            print(f"  {mutant.name}", file=sys.stderr, flush=True)


def _result(world: DefectsWorld, mutant: Mutant) -> dict[str, Any]:
    """On which scene the mutant was noticed, by which checks, and whom they blamed."""
    told = {"name": mutant.name, "step": mutant.step, "line": mutant.line,
            "before": mutant.before, "after": mutant.after}  # fmt: skip
    first = FIRST.get(mutant.step, ORDINARY)
    for scene in dict.fromkeys((first, *SCENES)):
        _require_sound(world, scene)
        checks, blamed = _noticed(world, mutant, scene)
        if checks:
            return {**told, "scene": str(scene), "caught_by": checks, "blamed": blamed}
    return {**told, "scene": "", "caught_by": [], "blamed": ""}


def _require_sound(world: DefectsWorld, scene: Scene) -> None:
    """Once a scene: it matches without any mutant, or nothing that follows means anything."""
    if scene not in SOUND:
        found = world.seen(scene)
        if found.verdict is not Verdict.MATCHED:
            raise SystemExit(f"{scene} is {found.verdict} without any mutant")
        SOUND.add(scene)


def _noticed(world: DefectsWorld, mutant: Mutant, scene: Scene) -> tuple[list[str], str]:
    try:
        with _limited(LIMIT_S), _in_candidate(mutant):
            found = world.seen(scene)
    except Exception as error:  # not a step's own error: the mutant breaks its worker
        return [f"worker: {type(error).__name__}"], mutant.step
    blame = found.first_divergent_step
    against = [c.name for c in found.checks if c.verdict is Verdict.DIVERGED]
    return against, blame.step if blame else ""


@contextmanager
def _in_candidate(mutant: Mutant) -> Iterator[None]:
    """The candidate's step is the mutant's; the primary has run already and is not run again."""
    module = ModuleType(f"mutant_{mutant.step}")
    module.__dict__["__name__"] = f"reflector_migrate.pipeline.steps.{mutant.step}"
    exec(compile(mutant.source, mutant.name, "exec"), module.__dict__)
    kept, runner.STEPS = runner.STEPS, {**runner.STEPS, mutant.step: getattr(module, mutant.step)}
    try:
        yield
    finally:
        runner.STEPS = kept


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _page(
    results: Sequence[Any], survived: Sequence[Any], total: int, options: argparse.Namespace,
    seconds: float,
) -> str:  # fmt: skip
    right = sum(r["blamed"] == r["step"] for r in results if r["caught_by"])
    scenes = "\n".join(f"- {scene}" for scene in SCENES)
    return f"""\
# Mutants of the steps' code

A mutant is one small automatic change of a step's code. `make mutants` tried {len(results)} of
{total} mutants of `reflector_migrate/pipeline/steps` on {date.today()}, sampled with seed
{options.seed}. Each ran in the candidate alone, in one process, and was compared with the
unaltered primary.

| | mutants |
|---|--:|
| tried | {len(results)} |
| noticed | {len(results) - len(survived)} |
| of these with the altered step blamed | {right} |
| not noticed, each with a reason | {len(survived)} |

It took {seconds / 60:.0f} minutes on {options.processes} processes.

[mutants.csv](mutants.csv) has one row per mutant: the line, the code before and after, and the
recording, checks and step that noticed it, or the reason why it does not show.

A mutant is tried on these recordings, in order, until a comparison diverges. `twice` runs every
step twice, as after a worker that dies when its work is done. `daily` answers 500 to both sides.

{scenes}
"""


def _write_rows(results: Sequence[Any], explained: Mapping[str, str]) -> None:
    with ROWS.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for r in results:
            why = "" if r["caught_by"] else explained.get(r["name"], "not explained")
            by = " ".join(r["caught_by"])
            rows.writerow(
                (r["name"], r["line"], r["before"], r["after"], r["scene"], by, r["blamed"], why)
            )


if __name__ == "__main__":
    sys.exit(main())

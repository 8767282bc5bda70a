"""Records the observations that the golden judgements rest on.

`python -m tests.golden_recording` records all: both engines work in one process on every fixture
recording, unaltered, under each seeded defect, with noise, under a fault and with each step run
twice; and on the recorded runs. It takes five minutes of one core. Every identifier and time is
a new one. `python -m tests.golden_recording NAME...` records these defects and leaves the rest.
Afterwards `python -m tests.golden --write` judges what was recorded.
"""

from __future__ import annotations

import re
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fixtures.contracts.make import observations
from reflector_migrate.experiments.noise import Noise, set_noise
from reflector_migrate.harness import Harness
from reflector_migrate.model import Observation
from reflector_migrate.pipeline.defects.registry import Defect, all_defects, describe
from reflector_migrate.pipeline.rows import Rows, write_mark
from reflector_migrate.sandbox.recordings import load_recording, load_recordings
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.snapshot import read_rows, take_snapshot
from reflector_migrate.store.cache import TaskCache
from reflector_migrate.store.clock import now
from tests.defects_world import RECORDINGS, DefectsWorld
from tests.golden import OBSERVATIONS, archive_of, packed, texts_in
from tests.pipeline_world import make_world
from tests.recorded_world import RUNS
from tests.sources_world import local_s3

TWICE = ("three-voices", "consent-denied")
FAULTY = ("solo", "daily")  # a recording and the service that answers 500 to both sides
NOISY = ("german", "silent-track", "three-voices", "zero-start")
NOISY_DEFECTS = (
    "summary_number_altered", "title_not_stored", "topics_duplicated_on_retry", "tracks_swapped",
    "words_by_speaker", "words_in_wrong_track_time",
)  # fmt: skip
PORT = re.compile(r"(127\.0\.0\.1|localhost):\d+")


@dataclass
class Recorder:
    """Observations by file and name; no folder or port of this machine stays in them."""

    folder: Path
    found: dict[str, dict[str, str]] = field(default_factory=dict)

    def keep(self, file: str, name: str, seen: Observation) -> None:
        """Take one down."""
        text = seen.model_dump_json(by_alias=True, exclude_defaults=True)
        text = PORT.sub("127.0.0.1:1", text.replace(str(self.folder), "/deployment"))
        self.found.setdefault(file, {})[name] = text
        print(f"{file}: {name}: {seen.status}", file=sys.stderr, flush=True)  # noqa: T201

    def write(self) -> None:
        """Replace the archives of what was recorded."""
        OBSERVATIONS.mkdir(parents=True, exist_ok=True)
        for file, seen in self.found.items():
            archive_of(file).write_bytes(packed(seen))

    def add(self) -> None:
        """Add to the archives what was recorded; what has the same name is replaced."""
        for file, seen in self.found.items():
            before = texts_in(archive_of(file).read_bytes())
            archive_of(file).write_bytes(packed(before | seen))


def record_recordings(recorder: Recorder, world: DefectsWorld) -> None:
    """Every fixture recording unaltered, then under each defect that names it."""
    for name in sorted(load_recordings(RECORDINGS)):
        primary, about, taken = world.primary(load_recording(RECORDINGS, name))
        recorder.keep(name, "primary", primary)
        recorder.keep(name, "candidate", world.candidate(about, taken, ()))
    for defect in all_defects():
        record_defect(recorder, world, defect, has_own_primary=bool(defect.inject))


def record_defect(
    recorder: Recorder, world: DefectsWorld, defect: Defect, *, has_own_primary: bool = True
) -> None:
    """The candidate with a defect, on all that is run with it."""
    for name in defect.all_recordings:
        recording = load_recording(RECORDINGS, name)
        primary, about, taken = world.primary(recording, defect.inject)
        if has_own_primary:
            recorder.keep(name, f"primary of {defect.name}", primary)
        recorder.keep(name, defect.name, world.candidate(about, taken, (defect.name,)))


def record_scenes(recorder: Recorder, world: DefectsWorld) -> None:
    """Each step run twice; and a service that answers 500."""
    for name in TWICE:
        forget_answers(world)
        _, about, taken = world.primary(load_recording(RECORDINGS, name))
        recorder.keep(name, "twice", world.candidate(about, taken, (), is_twice=True))
    name, service = FAULTY
    forget_answers(world)
    world.control.set_fault(service, "http_500")
    primary, about, taken = world.primary(load_recording(RECORDINGS, name), None, service)
    recorder.keep(name, f"primary of without {service}", primary)
    recorder.keep(name, f"without {service}", world.candidate(about, taken, ()))
    world.control.clear_faults(service)


def record_noise(recorder: Recorder, world: DefectsWorld) -> None:
    """Three legacy runs, two of the candidate, and some defects; no two answers are alike."""
    for name in NOISY:
        recording = load_recording(RECORDINGS, name)
        for number in (1, 2, 3):
            set_noise(Harness.of(world.settings), Noise(seed=number, breaks_facts=number == 3))
            primary, about, taken = world._primary(recording, {})
            recorder.keep(name, f"noisy primary {number}", primary)
        for number in (4, 5):
            set_noise(Harness.of(world.settings), Noise(seed=number, wer=0.02 * (number - 3)))
            recorder.keep(name, f"noisy {number}", world.candidate(about, taken, ()))
        for number, defect in enumerate(NOISY_DEFECTS, start=6):
            set_noise(Harness.of(world.settings), Noise(seed=number))
            recorder.keep(name, f"noisy {defect}", world.candidate(about, taken, (defect,)))
    set_noise(Harness.of(world.settings), None)


def record_runs(recorder: Recorder, s3_url: str, control: StandinControl) -> None:
    """The recorded runs of the real pipeline, run again by both sides."""
    for where in sorted(path.parent for path in RUNS.glob("*/scenario.json")):
        folder = recorder.folder / f"run-{where.name}"
        folder.mkdir()
        world = make_world(folder, s3_url, control, scenario=where.name)
        write_mark(str(world.settings.candidate.database_url))
        both = DefectsWorld(folder, world.settings, control)
        about = Announcement(
            transcript_id=world.recorded["id"],
            bucket_name="daily-tracks",
            track_keys=tuple(track["s3_key"] for track in world.tracks),
            task_id=str(uuid.uuid4()),
            published_at=now(),
        )
        url = str(world.settings.reflector.database_url)
        Rows.at(url).set_status(about.transcript_id, "processing")
        taken = read_rows(world.settings, about.transcript_id, about.track_keys)
        take_snapshot(Harness.of(world.settings), about, taken, "taken")
        primary = both.monolith(about, world.recorded["recording_id"])
        recorder.keep(f"run-{where.name}", "primary", primary)
        recorder.keep(f"run-{where.name}", "candidate", both.candidate(about, taken, ()))


def forget_answers(world: DefectsWorld) -> None:
    """No answer made before is served from the cache."""
    cache = world.settings.cache
    TaskCache(world.settings.store_url, cache.ttl_s, cache.max_entries).clear()


@contextmanager
def services(recordings: Path) -> Iterator[tuple[str, StandinControl]]:
    """An empty S3 and the outside services."""
    with (
        local_s3() as s3_url,
        running_standins(recordings) as url,
        StandinControl(url) as control,
    ):
        yield s3_url, control


def record_examples(recorder: Recorder) -> None:
    """The observations that the contracts' examples are made of."""
    for seen in observations():
        recorder.keep("contracts", seen.role.value, seen)


def record_all(recorder: Recorder) -> None:
    """Everything that is stored."""
    record_examples(recorder)
    none = recorder.folder / "none"
    none.mkdir()
    with services(none) as (s3_url, control):
        record_runs(recorder, s3_url, control)
    with services(RECORDINGS) as (s3_url, control):
        world = DefectsWorld.made(recorder.folder, s3_url, control)
        record_recordings(recorder, world)
        record_scenes(recorder, world)
        record_noise(recorder, world)
    recorder.write()


def record_named(recorder: Recorder, names: Sequence[str]) -> None:
    """Defects, added to what is stored."""
    with services(RECORDINGS) as (s3_url, control):
        world = DefectsWorld.made(recorder.folder, s3_url, control)
        for defect in map(describe, names):
            record_defect(recorder, world, defect)
    recorder.add()


def main() -> None:
    """Record all, or the defects named."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder))
        if sys.argv[1:]:
            record_named(recorder, sys.argv[1:])
        else:
            record_all(recorder)


if __name__ == "__main__":
    main()

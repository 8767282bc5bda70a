"""N tracks of recognition in parallel against the legacy pipeline's one after the other.

Part one, real servers and both real pipelines: the stand-in recogniser takes 3 s a
track; each engine runs the same N tracks alone, the other one resting. `path` is the
workflow's critical path, put together from its own steps' times; what is left is
orchestration. `ideal` is the ratio of the two schedules, were orchestration free.

Part two, steps that do nothing: thirteen in a row on Conductor against a Celery chain,
and a fork of eight against a chord, interleaved, each engine with its real workers.
The last line is the ratio we claim: legacy / workflow at the most tracks.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from noops import app, nothing

from reflector_migrate.conductor.catching_up import catch_up
from reflector_migrate.conductor.client import ConductorClient, connected
from reflector_migrate.conductor.doorbell import Doorbell
from reflector_migrate.model import STEP_NAMES, StepRun
from reflector_migrate.sandbox.compare import start_primary
from reflector_migrate.sandbox.recordings import FixtureRecording, load_recording
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.stage import set_stage
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings

SECONDS_A_TRACK = 3.0
TRACKS = tuple(int(n) for n in os.environ.get("BENCH_TRACKS", "1,2,4,8").split(","))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
WIDTH = 8
BRANCH = "transcribe_track"
PLAN = "generate_dynamic_fork_tasks"
ROW = (
    "get_recording", "get_participants", PLAN, "pad_track", "mixdown_tracks", PLAN,
    "transcribe_track", "merge_transcripts", "detect_topics", "generate_summary", "finalize",
    "cleanup_consent", "post_zulip",
)  # fmt: skip
"""Thirteen of the longest way through the pipeline's definition, in its order."""
FROM = "twelve-tracks"
HERE = Path(__file__).parent
PATIENCE_S = 240.0


class Times(NamedTuple):
    """Seconds of one N: the legacy run, the workflow, its critical path, the ideal ratio."""

    legacy_s: float
    workflow_s: float
    path_s: float
    ideal: float

    @property
    def ratio(self) -> float:
        """How many times longer legacy takes."""
        return self.legacy_s / self.workflow_s


def main() -> None:
    """Measure and print."""
    patient = Settings.model_validate(
        # no answer of an earlier round serves a later one: the tracks are the same
        {"sandbox": {"start_timeout_s": 240.0}, "cache": {"ttl_s": 0}}
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(patient, Path(folder), shadow=True) as sandbox,
    ):
        measured = {count: tracks_in_parallel(sandbox, count) for count in (1, *TRACKS)}
        for count in TRACKS:
            print(_line(count, measured[count]))
        sandbox.kill("legacy", signal.SIGSTOP)
        row, fork = nothings(sandbox.settings)
        print(f"{len(ROW)} no-op steps: {_engines(row)}")
        print(f"fork of {WIDTH}: {_engines(fork)}")
        most = measured[max(TRACKS)]
        print(f"ratio {most.ratio:.2f} (ideal {most.ideal:.2f})")
        sandbox.kill("legacy", signal.SIGCONT)


def _line(count: int, times: Times) -> str:
    over_s = times.workflow_s - times.path_s
    return (
        f"N={count}  legacy {times.legacy_s:5.1f} s (N x S = {count * SECONDS_A_TRACK:4.1f})"
        f"   workflow {times.workflow_s:5.1f} s = critical path {times.path_s:5.1f} + {over_s:4.2f}"
        f"   ratio {times.ratio:4.2f} of ideal {times.ideal:4.2f}"
    )


def _engines(times: tuple[list[float], list[float]]) -> str:
    celery, conductor = (statistics.median(one) for one in times)
    return (
        f"celery {celery * 1e3:5.0f} ms   conductor {conductor * 1e3:5.0f} ms"
        f"   {conductor / celery:.1f}x"
    )


# part one


def tracks_in_parallel(sandbox: Sandbox, count: int) -> Times:
    """Both engines on the first `count` tracks, one engine after the other."""
    settings = sandbox.settings
    recording = _part_of(load_recording(settings.sandbox.recordings, FROM), count)
    with StandinControl(settings.sandbox.control_url or "") as control:
        control.reset()
        control.set_noise("recogniser", latency_s=SECONDS_A_TRACK)
        set_stage(settings, recording)
        sandbox.kill("shadow", signal.SIGSTOP)  # the candidate waits until legacy has ended
        try:
            legacy = _legacy_steps(settings, recording)
        finally:
            sandbox.kill("shadow", signal.SIGCONT)
        return _times(legacy, _workflow_steps(settings, recording))


def _part_of(whole: FixtureRecording, count: int) -> FixtureRecording:
    name = f"{uuid.uuid4()}"
    tracks = whole.tracks[:count]
    return whole.model_copy(update={"recording_id": name, "tracks": tracks})


def _legacy_steps(settings: Settings, recording: FixtureRecording) -> tuple[StepRun, ...]:
    from reflector_migrate.pipeline.rows import Rows
    from reflector_migrate.store.steps import StepLog

    rows = Rows.at(settings.reflector.database_url or "")
    before = _newest_task(settings)
    start_primary(settings, recording)
    _until(lambda: (row := rows.transcript_of(recording.recording_id)) and row.status == "ended")
    _until(lambda: _newest_task(settings) != before)  # its times are told after its row
    return StepLog(settings.store_url).of(_newest_task(settings) or "")


def _newest_task(settings: Settings) -> str | None:
    """The Celery task whose steps were logged last: finalize is the pipeline task's own."""
    from sqlalchemy import select

    from reflector_migrate.store.base import reading
    from reflector_migrate.store.tables import step_runs

    query = select(step_runs.c.run_id).where(step_runs.c.name == "finalize")
    with reading(settings.store_url) as connection:
        found: str | None = connection.scalar(query.order_by(step_runs.c.id.desc()).limit(1))
    return found


def _workflow_steps(settings: Settings, recording: FixtureRecording) -> tuple[StepRun, ...]:
    from reflector_migrate.store.runs import Runs

    runs = Runs(settings.store_url)
    _until(lambda: (run := runs.latest(recording.recording_id)) and run.workflow_id)
    run = runs.latest(recording.recording_id)
    workflow_id = (run.workflow_id if run else None) or ""
    _until(lambda: catch_up(settings, workflow_id).status != "running")
    found = catch_up(settings, workflow_id)
    if found.status != "completed":
        raise SystemExit(f"the workflow ended {found.status}: {found.reason}")
    _until(lambda: (run := runs.latest(recording.recording_id)) and run.state == "compared")
    return found.step_runs


def _times(legacy: tuple[StepRun, ...], workflow: tuple[StepRun, ...]) -> Times:
    until = [s for s in workflow if s.name not in ("cleanup_consent", "post_zulip", "send_webhook")]
    path_s, serial_s = _critical_path(until), sum(_took(s) for s in legacy)
    return Times(_span(legacy), _span(until), path_s, serial_s / path_s)


def _span(steps: Any) -> float:
    starts = [s.queued or s.started for s in steps]
    seconds: float = (max(s.ended for s in steps) - min(starts)).total_seconds()
    return seconds


def _took(step: StepRun) -> float:
    assert step.started is not None
    assert step.ended is not None
    return (step.ended - step.started).total_seconds()


def _critical_path(steps: list[StepRun]) -> float:
    """The definition's longest way through the steps' own times."""

    def longest(name: str) -> float:
        return max(_took(s) for s in steps if s.name == name)

    def plan(number: int) -> float:
        plans = [s for s in steps if s.name == "generate_dynamic_fork_tasks"]
        return _took(plans[number])

    straight = ("get_recording", "get_participants", "pad_track", "mixdown_tracks")
    after = ("merge_transcripts", "detect_topics", "finalize")
    listening = max(longest("generate_waveform"), plan(1) + longest("transcribe_track"))
    written = max(longest("generate_title"), longest("generate_summary"))
    return sum(map(longest, (*straight, *after))) + plan(0) + listening + written


def _until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit("gave up waiting")
        time.sleep(0.1)


# part two

Pair = tuple[list[float], list[float]]


def nothings(settings: Settings) -> tuple[Pair, Pair]:
    """Seconds of each round: thirteen in a row and a fork of eight, on Celery and Conductor."""
    conductor = settings.conductor.model_copy(update={"domain": f"noop-{uuid.uuid4().hex[:8]}"})
    ours = settings.model_copy(update={"conductor": conductor})
    broker = f"{settings.reflector.broker_url.rpartition('/')[0]}/7"
    app.conf.update(broker_url=broker, result_backend=broker)
    row: Pair = ([], [])
    fork: Pair = ([], [])
    with _workers(ours, broker), connected(ours) as client:
        for number in range(ROUNDS + 1):
            in_a_row = _chain(), _executed(client, ours, _row(), ROW[0])
            taken = (*in_a_row, _chord(), _executed(client, ours, _fork(), BRANCH))
            if number:  # the first one warms up
                for place, seconds in zip((*row, *fork), taken, strict=True):
                    place.append(seconds)
    return row, fork


@contextmanager
def _workers(settings: Settings, broker: str) -> Iterator[None]:
    """A Celery worker of eight processes and a host of ours, until the end of the block."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready"
        environ = {
            **os.environ,
            "NOOPS_BROKER": broker,
            "MIGRATE_READY_FILE": str(ready),
            "MIGRATE_CONDUCTOR__SERVER_URL": settings.conductor.server_url,
            "MIGRATE_CONDUCTOR__DOMAIN": settings.conductor.domain or "",
            "MIGRATE_STORE__URL": f"sqlite:///{folder}/store.db",
            "MIGRATE_CANDIDATE__BUS_URL": settings.candidate.bus_url,
        }
        _migrated(environ["MIGRATE_STORE__URL"])
        celery = [sys.executable, "-m", "celery", "-q", "-A", "noops", "worker", "-c", str(WIDTH)]
        hosts = [
            subprocess.Popen(
                [*celery, "-l", "ERROR"], cwd=HERE, env=environ, stderr=subprocess.DEVNULL
            ),
            subprocess.Popen(
                [sys.executable, str(HERE / "noops.py")], env=environ, stderr=subprocess.DEVNULL
            ),
        ]
        try:
            _until(lambda: ready.exists() and app.control.ping(timeout=1))
            yield
        finally:
            for host in hosts:
                host.terminate()
            for host in hosts:
                host.wait(20)


def _migrated(url: str) -> None:
    from reflector_migrate.store.migrate import upgrade

    upgrade(url)


def _chain() -> float:
    from celery import chain

    since = time.perf_counter()
    chain(*(nothing.si() for _ in ROW)).delay().get(timeout=60, interval=0.005)
    return time.perf_counter() - since


def _chord() -> float:
    from celery import chord

    since = time.perf_counter()
    chord([nothing.si() for _ in range(WIDTH)])(nothing.si()).get(timeout=60, interval=0.005)
    return time.perf_counter() - since


def _executed(
    client: ConductorClient, settings: Settings, tasks: list[dict[str, Any]], first: str
) -> float:
    """Seconds from the start's request to the end, by the server's own account of the end."""
    run = {
        "run_id": uuid.uuid4().hex, "recording_id": "r", "transcript_id": "t",
        "namespace": "shadow", "bucket_name": "b",
    }  # fmt: skip
    definition = {
        "name": "nothing", "version": 1, "ownerEmail": settings.conductor.owner_email,
        "schemaVersion": 2, "timeoutPolicy": "ALERT_ONLY", "timeoutSeconds": 0, "tasks": tasks,
    }  # fmt: skip
    domains = dict.fromkeys(STEP_NAMES, settings.conductor.domain)
    request = {"name": "nothing", "version": 1, "workflowDef": definition}
    since = time.time()
    workflow_id = client.start({**request, "input": {"run": run}, "taskToDomain": domains})
    Doorbell(settings).ring([first])
    _until(lambda: client.workflow(workflow_id, with_tasks=False)["status"] != "RUNNING")
    done = client.workflow(workflow_id)
    if done["status"] != "COMPLETED":
        raise SystemExit(f"no-op workflow: {done['status']}: {done.get('reasonForIncompletion')}")
    return float(done["endTime"]) / 1000 - since


def _task(name: str, reference: str) -> dict[str, Any]:
    about = {"run": "${workflow.input.run}"}
    return {
        "name": name, "taskReferenceName": reference, "type": "SIMPLE", "inputParameters": about,
    }  # fmt: skip


def _row() -> list[dict[str, Any]]:
    return [_task(name, f"{number}_{name}") for number, name in enumerate(ROW)]


def _fork() -> list[dict[str, Any]]:
    branches = [[_task(BRANCH, f"branch_{n}")] for n in range(WIDTH)]
    joined = [f"branch_{n}" for n in range(WIDTH)]
    return [
        {"name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN", "forkTasks": branches},
        {"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": joined},
        _task("merge_transcripts", "after"),
    ]


if __name__ == "__main__":
    main()

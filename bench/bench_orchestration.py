"""What an engine costs a step that does nothing: Conductor with our workers against Celery.

Thirteen in a row against a chain, and a fork of eight against a chord, interleaved in one
loop, each engine with its real workers. The last line is the ratio we claim, of the row.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from noops import app, nothing
from patience import until

from reflector_migrate.clients.conductor import ConductorClient, connected
from reflector_migrate.conductor.wakeup import WakeupChannel
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings

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
HERE = Path(__file__).parent

Pair = tuple[list[float], list[float]]


def main() -> None:
    """Measure and print."""
    patient = Settings.model_validate({"sandbox": {"start_timeout_s": 240.0}})
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(patient, Path(folder), with_=("redis", "conductor")) as sandbox,
    ):
        row, fork = nothings(sandbox.settings)
    print(f"fork of {WIDTH}: {_engines(fork)}")
    print(f"{len(ROW)} no-op steps: {_engines(row)}")


def _engines(times: tuple[list[float], list[float]]) -> str:
    celery, conductor = (statistics.median(one) for one in times)
    return (
        f"celery {celery * 1e3:5.0f} ms   conductor {conductor * 1e3:5.0f} ms"
        f"   {conductor / celery:.1f}x"
    )


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
            until(lambda: ready.exists() and app.control.ping(timeout=1))
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
    WakeupChannel(Harness.of(settings)).ring([first])
    until(lambda: client.workflow(workflow_id, with_tasks=False)["status"] != "RUNNING")
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

"""Worker hosts over steps that only answer, before a real Conductor of either version."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import psutil

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.execution import Execution, execution_of, read
from reflector_migrate.conductor.watchdog import (
    apply_repair,
    as_running,
    is_left_alone,
    publish_progress,
    read_workflow,
    repairs_due,
)
from reflector_migrate.conductor.workflows.load import FAILED, PIPELINE, VERSION
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.contracts import Run, Track
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.store.migrate import upgrade
from tests.patience import PATIENT

VERSIONS = ("3.32.3", "3.15.0")
SCALE = 0.2  # most steps: 12 s in all, 6 s without a sign of life
PATIENCE_S = 300.0  # two cores may be shared by many
DOUBLE = Path(__file__).parent / "conductor_double.py"


@contextmanager
def server_of(version, folder):
    """A real server with our definitions; settings with a store of their own."""
    parts = ("conductor", "redis")
    with Sandbox(
        PATIENT, folder, conductor_version=version, with_=parts, time_scale=SCALE
    ) as sandbox:
        url = f"sqlite:///{folder / 'store.db'}"
        upgrade(url)
        store = sandbox.settings.store.model_copy(update={"url": url})
        yield sandbox.settings.model_copy(update={"store": store, "is_sandbox": False})


def in_own_domain(settings):
    """The same server with a task domain of one's own: nothing is left over from others."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    conductor = settings.conductor.model_copy(update={"domain": name})
    return settings.model_copy(update={"conductor": conductor})


@contextmanager
def hosts_of(settings, folder):
    """Starts worker hosts, and ends what is left of them."""
    made = []

    def start(**options):
        host = Workers(settings, folder / f"host{len(made)}", **options)
        made.append(host)
        host.wait_until_ready()
        return host

    try:
        yield start
    finally:
        for host in made:
            end_host(host)


class Workers:
    """A worker host over the doubles, in processes of its own."""

    def __init__(self, settings, folder, group="all", drain_s=3.0, **orders):
        self.folder = folder
        folder.mkdir()
        self.calls, self.spans = folder / "calls", folder / "calls.spans"
        self.order(**orders)
        self.ready = folder / "ready"
        log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, str(DOUBLE), "--group", group],
            env={**os.environ, **environ_of(settings, folder, drain_s)},
            stdout=log,
            stderr=log,
        )

    def order(self, **orders):
        """Have the steps fail or take their time from now on; the count of calls restarts."""
        for path in (self.calls, self.spans):
            path.write_text("")
        text = json.dumps({"calls": str(self.calls), **orders})
        (self.folder / "next").write_text(text)
        (self.folder / "next").rename(self.folder / "orders")

    def wait_until_ready(self):
        """Return when every process polls."""
        until(self.ready.exists, f"workers poll; see {self.folder / 'log'}")

    def family(self):
        """The host and every process below it."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def called(self, step):
        """Pids that executed a step, in order."""
        lines = [line.split() for line in self.calls.read_text().splitlines()]
        return [int(pid) for name, pid in lines if name == step]

    def worked(self, step):
        """When each call of a step began and ended."""
        lines = [line.split() for line in self.spans.read_text().splitlines()]
        return [(float(began), float(ended)) for name, began, ended in lines if name == step]

    def stop(self):
        """SIGTERM; the seconds until every process had ended."""
        family, began = self.family(), time.monotonic()
        self.process.terminate()
        _, alive = psutil.wait_procs(family, timeout=15)
        assert not alive, f"still there: {alive}"
        return time.monotonic() - began


def environ_of(settings, folder, drain_s):
    """What leads a process to that server, that store and those orders."""
    conductor = settings.conductor
    return {
        "CONDUCTOR_DOUBLE": str(folder / "orders"),
        "MIGRATE_READY_FILE": str(folder / "ready"),
        "MIGRATE_CONDUCTOR__SERVER_URL": conductor.server_url,
        "MIGRATE_CONDUCTOR__DOMAIN": conductor.domain or "",
        "MIGRATE_STORE__URL": settings.store_url,
        "MIGRATE_CANDIDATE__BUS_URL": settings.candidate.bus_url,
        "MIGRATE_WORKERS__DRAIN_S": str(drain_s),
        "MIGRATE_WORKERS__AUDIO": "2",
        "MIGRATE_WORKERS__TRANSCRIBE": "3",
    }


def end_host(host):
    """Kill what is left of it."""
    if host.process.poll() is None:
        family = host.family()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=5)


def a_run():
    """A run of its own."""
    unique = uuid.uuid4().hex
    return Run(
        run_id=unique,
        recording_id=f"rec-{unique[:8]}",
        transcript_id=f"tr-{unique[:8]}",
        namespace="shadow",
        bucket_name="tracks",
    )


def tracks(count):
    """Tracks with indexes whose string order is not their number order from eleven on."""
    return [Track(track_index=i, s3_key=f"k{i}") for i in range(count)]


def until(is_so, what, patience_s=PATIENCE_S):
    """Wait for it."""
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.2)  # each look costs the server and its database


def ended(settings, workflow_id):
    """The execution, once it has ended; looked after as the collector does."""
    until(lambda: catch_up(settings, workflow_id).status != "running", f"{workflow_id} ends")
    return read(Harness.of(settings), workflow_id)


def attempts(execution, step):
    """Status of each attempt of a step, in order."""
    return [s.status for s in execution.step_runs if s.name == step]


def end_all(settings):
    """End every running workflow, those that ending one starts too."""

    def is_quiet():
        with connected(settings) as client:
            running = [i for name in (PIPELINE, FAILED) for i in client.running(name, VERSION)]
            for workflow_id in running:
                with contextlib.suppress(RefusedError):
                    client.terminate(workflow_id, "test")
        return not running

    until(is_quiet, "nothing runs")


def assert_small(executed):
    """No task carries more than 64 KB, nor the whole execution more than 1 MB."""
    sizes = [
        len(json.dumps(task[part]))
        for task in executed["tasks"]
        for part in ("inputData", "outputData")
    ]
    assert max(sizes) <= 64 * 1024
    assert len(json.dumps(executed)) <= 1024 * 1024


def catch_up(settings, workflow_id):
    """Look at a workflow, repair what is due and publish its progress; the execution.

    Status `missing` when the server does not have it. Raises ServerUnreachableError.
    """
    workflow = read_workflow(Harness.of(settings), workflow_id)
    if workflow is None:
        return Execution(workflow_id, "missing")
    for repair in repairs_due(workflow, time.time(), settings.conductor.time_scale):
        workflow = apply_repair(Harness.of(settings), workflow, repair)
    execution = execution_of(as_running(workflow) if is_left_alone(workflow) else workflow)
    publish_progress(Harness.of(settings), workflow, execution)
    return execution

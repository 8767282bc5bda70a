"""Worker processes before real servers of both versions: who polls, who dies, who drains.

Over steps that only answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

import httpx
import psutil
import pytest

from reflector_migrate.conductor.execution import read, task_queue_pollers, terminate
from reflector_migrate.conductor.runtime.task_client import TaskClient
from reflector_migrate.conductor.server_version import server_version
from reflector_migrate.conductor.start import start_workflow
from reflector_migrate.conductor.task_domain import identity
from reflector_migrate.conductor.task_metadata import spent_before
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES
from tests.conductor_world import a_run, attempts, ended, environ_of, tracks, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]
ONE_SERVER = pytest.mark.parametrize("server", ["3.32.3"], indirect=True)
"""What a host does with its own processes, whichever server it asks."""


def test_pollers_are_listed_and_strangers_flagged(ordered, monkeypatch):
    """Ours poll every queue with our build; a foreign worker in our domain is seen."""
    settings, order = ordered
    pids = {str(process.pid) for process in order().family()[1:]}
    found = task_queue_pollers(Harness.of(settings), recent_s=20)
    assert {p.task for p in found} == set(STEP_NAMES)
    build = next(p.build for p in found if p.domain)  # sources may have changed since it started
    monkeypatch.setattr("reflector_migrate.conductor.pollers.build_hash", lambda: build)
    mine = [p for p in task_queue_pollers(Harness.of(settings), recent_s=20) if p.domain]
    assert {p.worker_id.split(":")[1] for p in mine} & pids
    assert not any(p.is_stranger for p in mine)
    with _a_ghost(settings, "finalize"):
        deadline, strangers = time.monotonic() + 30, set()
        while not strangers and time.monotonic() < deadline:
            seen = task_queue_pollers(Harness.of(settings), recent_s=20)
            strangers = {(p.task, p.worker_id) for p in seen if p.is_stranger and p.domain}
        ghosts = []
        while not ghosts and time.monotonic() < deadline + 60:  # it may hide behind a busier one
            told = _worker_list(settings)
            ghosts = [w for w in told["workers"] if w["worker_id"] == "old-container"]
    assert strangers == {("finalize", "old-container")}
    assert [(w["task"], w["is_stranger"]) for w in ghosts] == [("finalize", True)]
    assert (told["ok"], told["exit_code"]) == (False, 1)


@contextlib.contextmanager
def _a_ghost(settings, step):
    """A foreign worker that polls a step's queue in our domain all the time."""
    url = f"{settings.conductor.server_url}/tasks/poll/batch/{step}"
    who = {"workerid": "old-container", "domain": settings.conductor.domain, "count": 1}
    is_over = Event()

    def poll():
        while not is_over.wait(0.05):
            httpx.get(url, params={**who, "timeout": 0}, timeout=30)

    ghost = Thread(target=poll)
    ghost.start()
    try:
        yield
    finally:
        is_over.set()
        ghost.join()


def _worker_list(settings):
    """What `migrate worker list` says."""
    command = [str(Path(sys.executable).with_name("migrate")), "worker", "list", "--json"]
    environ = {**os.environ, **environ_of(settings, Path(), 3.0)}
    done = subprocess.run(command, env=environ, capture_output=True, timeout=60, check=False)
    told = json.loads(done.stdout)
    assert told["exit_code"] == done.returncode, done.stderr
    return told


def test_a_task_of_another_contract_reaches_no_worker(ordered, domain):
    """A host that polls all the while takes none of another domain's tasks."""
    settings, order = ordered
    host = order()
    theirs = start_workflow(Harness.of(domain), a_run(), tracks(1))
    found = ended(settings, start_workflow(Harness.of(settings), a_run(), tracks(1)))
    assert found.status == "completed", found.reason
    (waiting,) = read(Harness.of(domain), theirs).step_runs
    assert (waiting.name, waiting.started) == ("get_recording", None)
    assert len(host.called("get_recording")) == 1
    terminate(Harness.of(domain), theirs, "test")


@ONE_SERVER
def test_a_dead_worker_process_is_replaced(ordered):
    """All members of the family die; the host starts them again and the run completes."""
    settings, order = ordered
    for victim in order().family()[1:]:
        victim.kill()
    found = ended(settings, start_workflow(Harness.of(settings), a_run(), tracks(1)))
    assert found.status == "completed", found.reason


def test_sigterm_hands_work_over_and_leaves_no_process(domain, workers):
    """A step that outlives the drain goes back into its queue at once, for the next worker."""
    host = workers(group="light", sleep={"get_recording": [60.0, False, 1]})
    workflow_id = start_workflow(Harness.of(domain), a_run(), tracks(1))
    until(lambda: host.called("get_recording"), "the slow step begins")
    assert host.stop() < 10.0
    client = TaskClient(Harness.of(domain), server_version(domain), identity())
    task = client.take("get_recording") or client.take("get_recording")
    assert task is not None
    assert task.workflow_instance_id == workflow_id
    assert spent_before(task.output_data, 1).is_partial  # what it had used goes with it
    assert attempts(read(Harness.of(domain), workflow_id), "get_recording")[-1] == "running"
    terminate(Harness.of(domain), workflow_id, "test")


@ONE_SERVER
def test_sigterm_lets_a_short_step_finish(domain, workers):
    """What ends within the drain is handed in, not done again."""
    host = workers(group="light", drain_s=6.0, sleep={"get_recording": [1.0, False, 1]})
    workflow_id = start_workflow(Harness.of(domain), a_run(), tracks(1))
    until(lambda: host.called("get_recording"), "the step begins")
    host.stop()
    found = read(Harness.of(domain), workflow_id)
    assert attempts(found, "get_recording") == ["completed"]
    assert len(host.called("get_recording")) == 1
    terminate(Harness.of(domain), workflow_id, "test")


@ONE_SERVER
def test_when_the_host_is_killed_its_processes_end_too(workers):
    """A SIGKILL of the parent leaves no process polling."""
    host = workers(group="audio")
    family = host.family()
    assert len(family) == 3
    os.kill(host.process.pid, signal.SIGKILL)
    host.process.wait(5)
    _, alive = psutil.wait_procs(family[1:], timeout=10)
    assert not alive

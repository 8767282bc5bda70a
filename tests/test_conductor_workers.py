"""The processes of a host: which steps each polls, what it may share, what it leaves its parent."""

from __future__ import annotations

import os
from importlib import import_module

import pytest
from conductor.client.http.models.task import Task

from reflector_migrate.clients.connections import connections, redis_at
from reflector_migrate.conductor.runtime import in_flight_file
from reflector_migrate.conductor.runtime.groups import GROUPS, members
from reflector_migrate.conductor.runtime.task_client import early_by
from reflector_migrate.conductor.runtime.worker_registry import WORKERS
from reflector_migrate.model import STEP_NAMES, Usage
from reflector_migrate.pipeline.runner import StepResult
from reflector_migrate.settings import Settings, WorkerSettings
from reflector_migrate.store.base import engine_for
from tests.harness_world import work


@pytest.mark.parametrize(
    ("scheduled_ms", "given_out_ms", "delay_s", "early_s"),
    [
        pytest.param(100_000, 100_000, 60, 60, id="just scheduled"),
        pytest.param(60_500, 100_000, 60, 21, id="rounded up"),
        pytest.param(40_000, 100_000, 60, 0, id="due"),
        pytest.param(100_000, 100_000, 0, 0, id="no backoff"),
        pytest.param(700_000, 100_000, 2, 2, id="two servers' clocks: never more than the backoff"),
        pytest.param(100_000, None, 2, 0, id="a server that does not say when"),
        pytest.param(None, None, None, 0, id="nothing known"),
    ],
)
def test_a_task_that_comes_before_its_backoff_is_over(
    scheduled_ms, given_out_ms, delay_s, early_s, monkeypatch
):
    """By how much, whatever our clock says; 3.32.3 gives such out where there is a limit."""
    task = Task(
        task_id="t", scheduled_time=scheduled_ms, update_time=given_out_ms,
        start_delay_in_seconds=delay_s,
    )  # fmt: skip
    for skew_s in (-600, 0, 600):
        with monkeypatch.context() as patch:
            patch.setattr("time.time", lambda s=skew_s: 100.0 + s)
            assert early_by(task) == early_s


def test_what_a_process_is_at_is_there_for_its_parent(tmp_path):
    """The last thing written counts; a process that wrote nothing was at nothing."""
    path = in_flight_file.notes_beside(tmp_path / "0")
    assert in_flight_file.read(path) == ()
    first = in_flight_file.Note("pad_track", "t1", "w1", 1, {"s3_requests": 2})
    in_flight_file.write(path, [first, in_flight_file.Note("pad_track", "t2", "w1", 2, {})])
    in_flight_file.write(path, [first])
    assert in_flight_file.read(path) == (first,)
    in_flight_file.write(None, [first])
    in_flight_file.write(tmp_path / "no-such-folder" / "x", [first])


def test_nothing_that_was_made_before_a_process_began_is_used_in_it(tmp_path):
    """Database engine, HTTP and S3 clients and the bus: a forked child has its own of each."""
    settings = Settings.model_validate({"s3": {"endpoint_url": "http://127.0.0.1:1"}})
    url = f"sqlite:///{tmp_path / 'x.db'}"

    def made():
        links = connections(settings)
        return [engine_for(url), links.http, links.s3, redis_at("redis://127.0.0.1:1/0")]

    before = made()
    assert all(mine is kept for mine, kept in zip(made(), before, strict=True))
    child = os.fork()
    if child == 0:
        shared = [mine is theirs for mine, theirs in zip(made(), before, strict=True)]
        os._exit(any(shared))
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("step", STEP_NAMES)
def test_each_step_has_a_worker_in_a_file_of_its_name(step):
    """The requirements' files exist and each does its own step."""
    module = import_module(f"reflector_migrate.conductor.workers.{step}")
    called = []

    def execute(name, raw, harness, heartbeat, meter):
        called.append(name)
        return StepResult({}, Usage(), "", "")

    assert getattr(module, step) is WORKERS[step]
    work(execute, step=step)
    assert called == [step]


def test_every_step_is_polled_by_exactly_one_group():
    """No step is forgotten, none is polled twice in one host."""
    assert sorted(s for steps in GROUPS.values() for s in steps) == sorted(STEP_NAMES)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        pytest.param("all", ["light", "transcribe", "audio", "audio", "audio"], id="all"),
        pytest.param("audio", ["audio"] * 3, id="audio has a process per slot"),
        pytest.param("light", ["light"], id="light is one process"),
    ],
)
def test_groups_become_processes(group, expected):
    """Audio tasks never share an interpreter."""
    made = members(group, WorkerSettings(audio=3, light=5))
    assert [m.group for m in made] == expected
    assert all(m.slots == 1 for m in made if m.group == "audio")
    assert all(m.slots == 5 for m in made if m.group == "light")

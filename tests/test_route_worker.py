"""The plugin that routes, in a real worker of each pool on a real broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import redis
from celery import Celery

from reflector_migrate.plugin import FOLDER
from reflector_migrate.plugin.reflector_claim import CONDUCTOR, LEGACY, QUEUE, Claims
from reflector_migrate.plugin.reflector_route_table import KEY, Table, dump
from tests.test_legacy_plugin import KEYS, TASK, THEIR_APP, send

pytestmark = pytest.mark.live

POOLS = ("prefork", "solo", "threads")


@pytest.fixture
def broker(redis_server):
    """An empty database of a real Redis."""
    url = f"{redis_server}/8"
    redis.Redis.from_url(url).flushdb()
    return url


@contextmanager
def worker(folder, broker, *more, **environ):
    """A real worker of their app with the plugin; the process, and their app."""
    (folder / "theirs.py").write_text(THEIR_APP)
    env = {k: v for k, v in os.environ.items() if not k.startswith("MIGRATE_")} | environ
    env |= {"PYTHONPATH": f"{folder}:{FOLDER}", "BROKER": broker, "TASK": TASK,
            "MIGRATE_LEGACY_PIPELINE": "theirs:PipelineMainMultitrack"}  # fmt: skip
    argv = [sys.executable, "-m", "celery", "-A", "theirs", "worker", "-c", "1", "-l", "info",
            "-I", "reflector_route", "--without-mingle", "--without-gossip", *more]  # fmt: skip
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            argv, env=env, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        with Celery(broker=broker, backend=broker, set_as_current=False) as app:
            yield running, app
    finally:
        if running.poll() is None:
            running.terminate()
            running.wait(30)


@pytest.mark.parametrize("pool", POOLS)
def test_the_route_is_decided_in_each_pool(tmp_path, broker, pool):
    """Celery runs the body; Conductor leaves it, and its message is in the queue."""
    claims = Claims(redis.Redis.from_url(broker))
    redis.Redis.from_url(broker).set(KEY, dump(Table(1, "celery")))
    on = {"MIGRATE_ROUTING": "true", "MIGRATE_ROUTE_WAIT_S": "0.2", "MIGRATE_SHADOW": "true"}
    with worker(tmp_path, broker, "-P", pool, **on) as (_, app):
        assert send(app) is not None
        assert claims.look("t-1").engine == LEGACY
        redis.Redis.from_url(broker).set(KEY, dump(Table(2, "conductor")))
        time.sleep(5.2)
        assert send(app)["route"] == "conductor"
    assert claims.look("t-1").engine == CONDUCTOR
    tasks = [b"migrate.route.kept", b"migrate.route.start"]
    queued = redis.Redis.from_url(broker).lrange(QUEUE, 0, -1)[::-1]
    assert [task in message for task, message in zip(tasks, queued, strict=True)] == [True, True]
    announced = redis.Redis.from_url(broker).lrange("shadow", 0, -1)
    assert not any(b"migrate.shadow.dispatch" in message for message in announced)


def test_without_the_flag_nothing_is_routed(tmp_path, broker):
    """The file is loaded, and the table says Conductor: the body runs, and nothing is claimed."""
    redis.Redis.from_url(broker).set(KEY, dump(Table(1, "conductor")))
    with worker(tmp_path, broker) as (_, app):
        assert send(app) is False
    assert Claims(redis.Redis.from_url(broker)).look("t-1") is None


def test_a_worker_killed_while_it_waits_leaves_claim_and_message(tmp_path, broker):
    """Both were written at once: the reader of the message starts the workflow."""
    client = redis.Redis.from_url(broker)
    client.set(KEY, dump(Table(1, "conductor+fallback")))
    on = {"MIGRATE_ROUTING": "true", "MIGRATE_ROUTE_WAIT_S": "60"}
    with worker(tmp_path, broker, **on) as (running, app):
        given = {"transcript_id": "t-1", "bucket_name": "b", "track_keys": KEYS}
        app.send_task(TASK, kwargs=given)
        deadline = time.monotonic() + 60
        while not client.llen(QUEUE) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(10)
    held = Claims(client).look("t-1")
    assert (held.engine, held.state, client.llen(QUEUE)) == (CONDUCTOR, "asked", 1)

"""The doctor's line about the starter: needed only where recordings go to Conductor."""

from __future__ import annotations

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker

from reflector_migrate.cutover.items import State
from reflector_migrate.cutover.starter_check import starter_listens
from reflector_migrate.harness import Harness
from reflector_migrate.plugin.reflector_claim import QUEUE
from reflector_migrate.plugin.reflector_route_table import KEY, Room, Table, dump
from reflector_migrate.settings import Settings

pytestmark = pytest.mark.heavy


@pytest.fixture
def settings(redis_server):
    """An empty broker."""
    broker = f"{redis_server}/11"
    redis.Redis.from_url(broker).flushdb()
    return Settings.model_validate({"reflector": {"broker_url": broker}})


@pytest.mark.parametrize(
    ("table", "state"),
    [
        pytest.param(None, State.PASS, id="no table"),
        pytest.param(Table(1), State.PASS, id="all on celery"),
        pytest.param(Table(1, "conductor", 0.01), State.FAIL, id="a share for Conductor"),
        pytest.param(Table(1, rooms={"a": Room("conductor")}), State.FAIL, id="a room for it"),
    ],
)
def test_without_a_starter(settings, table, state):
    """It fails where a recording would wait for one."""
    if table:
        redis.Redis.from_url(settings.reflector.broker_url).set(KEY, dump(table))
    assert starter_listens(Harness.of(settings)).state is state


def test_a_starter_that_listens_is_found(settings):
    """By its queue, whatever its name."""
    redis.Redis.from_url(settings.reflector.broker_url).set(KEY, dump(Table(1, "conductor")))
    app = Celery("ours", broker=settings.reflector.broker_url, set_as_current=False)
    app.conf.task_default_queue = QUEUE
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="WARNING"):
        assert starter_listens(Harness.of(settings)).value == "1 starters"

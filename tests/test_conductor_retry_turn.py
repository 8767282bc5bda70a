"""Of those who have a workflow go on at once, one does."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest

from reflector_migrate.conductor.execution import retry
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.store.clock import now
from tests.answering import answering, at
from tests.progress_world import settings_of


def workflow(status):
    """One without a step, as the server reports it."""
    return {"workflowId": "wf", "status": status, "tasks": []}


class Obliging:
    """A server that accepts every retry, as both versions do of two that come at once."""

    def __init__(self):
        self.retried = 0

    def __call__(self, method, _path):
        """Take a while to accept it; it runs from then on."""
        if method == "POST":
            time.sleep(0.2)
            self.retried += 1
            return 200, None
        return 200, workflow("RUNNING" if self.retried else "FAILED")


def test_two_who_retry_at_once_retry_once(tmp_path):
    """Each step would run twice otherwise, and its JOIN would wait for ever."""
    server, refused = Obliging(), []
    with answering(server) as url:
        harness = Harness.of(at(settings_of(tmp_path), url))

        def one():
            try:
                retry(harness, "wf")
            except RefusedError as error:
                refused.append(error.message)

        threads = [Thread(target=one) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.retried == 1
    assert refused == ["workflow wf is running, and cannot be retried"] * 2
    assert harness.heartbeats.last("retry wf") is None


def test_the_turn_of_a_process_that_died_ends(tmp_path, monkeypatch):
    """Until then the others are refused, after a bounded wait."""
    monkeypatch.setattr("reflector_migrate.conductor.retry_turn.WAIT_S", 0.3)
    server = Obliging()
    with answering(server) as url:
        harness = Harness.of(at(settings_of(tmp_path), url))
        harness.heartbeats.lease("retry wf", now(), now() + timedelta(seconds=60))
        with pytest.raises(RefusedError, match="being retried by another process"):
            retry(harness, "wf")
        assert server.retried == 0
        later = replace(harness, now=lambda: now() + timedelta(seconds=61))
        retry(later, "wf")
    assert server.retried == 1

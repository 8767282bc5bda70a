"""A step that waits although its queue is empty is put back; no other is."""

from __future__ import annotations

import pytest

from reflector_migrate.conductor.watchdog import Repair, apply_repair, repairs_due
from reflector_migrate.harness import Harness
from tests.answering import answering, at
from tests.progress_world import settings_of

WAITING = {
    "taskId": "t", "workflowInstanceId": "wf", "taskDefName": "pad_track", "domain": "d",
    "referenceTaskName": "pad_track",
    "status": "SCHEDULED", "scheduledTime": 950_000, "updateTime": 955_000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "unix_s", "expected"),
    [
        pytest.param({}, 986.0, True, id="waits for 31 s"),
        pytest.param({}, 984.0, False, id="waits for less than half a minute"),
        pytest.param({}, 990.0, False, id="was asked for a moment ago"),
        pytest.param({}, 1001.0, True, id="is asked for again"),
        pytest.param({"startDelayInSeconds": 20}, 986.0, False, id="its backoff is not over"),
        pytest.param({"status": "IN_PROGRESS"}, 986.0, False, id="a worker has it"),
        pytest.param({"taskDefName": "JOIN"}, 986.0, False, id="the server's own"),
    ],
)
def test_which_waiting_task_is_asked_for(changed, unix_s, expected):
    """Once in a quarter of a minute, and only what workers are given."""
    workflow = {"status": "RUNNING", "tasks": [{**WAITING, **changed}]}
    assert (Repair.PUT_BACK in repairs_due(workflow, unix_s, 1.0)) is expected
    assert Repair.PUT_BACK not in repairs_due({**workflow, "status": "FAILED"}, unix_s, 1.0)


@pytest.mark.parametrize(
    ("size", "task", "is_lost"),
    [
        pytest.param(0, {}, True, id="in no queue"),
        pytest.param(3, {}, False, id="in its queue"),
        pytest.param(0, {"status": "IN_PROGRESS"}, False, id="just taken"),
        pytest.param(0, {"updateTime": 999_000}, False, id="changed since"),
        pytest.param(0, None, False, id="no longer known"),
    ],
)
def test_only_a_task_in_no_queue_is_put_back(size, task, is_lost, tmp_path, monkeypatch):
    """Else two workers would do it at once."""
    monkeypatch.setattr("reflector_migrate.conductor.lost_tasks.SURELY_S", 0.0)
    asked = []

    def server(method, path):
        asked.append((method, path))
        if path == "/tasks/queue/sizes":
            return 200, {"d:pad_track": size}
        if method == "POST":
            return 200, None
        return (404, {"message": "unknown"}) if task is None else (200, {**WAITING, **task})

    with answering(server) as url:
        harness = Harness.of(at(settings_of(tmp_path), url))
        apply_repair(harness, {"status": "RUNNING", "tasks": [WAITING]}, Repair.PUT_BACK)
    assert (("POST", "/tasks") in asked) is is_lost

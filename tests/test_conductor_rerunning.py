"""Whether a workflow can be run again, and what happens where it cannot."""

import pytest

from reflector_migrate.conductor.rerunning import PLANNED_BY, why_anew
from reflector_migrate.conductor.workflows.load import PIPELINE, workflow_definition
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.settings import Settings

HOUR_S = 3600.0
NOW_S = 100 * HOUR_S
MERGE = {"taskDefName": "merge_transcripts", "seq": 17}


def join(seq, retries):
    """A JOIN as the server tells of it."""
    return {"taskType": "JOIN", "referenceTaskName": "join", "seq": seq, "retryCount": retries}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param({}, None, id="young and whole"),
        pytest.param({"createTime": 96 * HOUR_S * 1000}, "it is too old", id="hours old"),
        pytest.param(
            {"createTime": 60 * HOUR_S * 1000, "lastRetriedTime": 99 * HOUR_S * 1000}, None,
            id="old, and retried just now",
        ),
        pytest.param(
            {"tasks": [MERGE, join(22, 1)]}, "a JOIN of it was retried", id="its JOIN was retried"
        ),
        pytest.param({"tasks": [join(7, 1), MERGE]}, None, id="a JOIN that is not run again"),
        pytest.param({"workflowDefinition": {}, "createTime": 1000}, None, id="no timeout"),
    ],
)  # fmt: skip
def test_why_a_workflow_begins_anew(changed, why):
    """Too little of its time is left, or the server would take a JOIN for scheduled."""
    workflow = {
        "workflowDefinition": {"timeoutSeconds": 6 * HOUR_S},
        "createTime": 99 * HOUR_S * 1000,
        "tasks": [join(7, 0), MERGE, join(22, 0)],
        **changed,
    }
    assert why_anew(workflow, MERGE, NOW_S) == why


@pytest.mark.parametrize("step", STEP_NAMES)
def test_no_step_whose_runs_are_limited_is_run_again_itself(step):
    """3.32.3 schedules it and never gives it out: what precedes it is, or all begins anew."""
    begins = PLANNED_BY.get(step, step)
    task = {"taskDefName": begins, "seq": 1}
    why = why_anew({"createTime": 1, "tasks": []}, task, NOW_S)
    is_first = step in ("get_recording", "get_participants")
    assert why == ("its step's runs are limited" if is_first else None)


def test_no_branch_of_a_fork_is_run_again_alone():
    """The server forgets all that was scheduled later, the other branch too, and its JOIN waits."""
    tasks = workflow_definition(PIPELINE, Settings())["tasks"]
    line = [task["taskReferenceName"] for task in tasks]
    for fork in tasks:
        for task in (t for branch in fork.get("forkTasks", ()) for t in branch):
            if task["type"] == "SIMPLE" and task["name"] != "generate_dynamic_fork_tasks":
                begins = line.index(PLANNED_BY[task["name"]])
                assert begins < line.index(fork["taskReferenceName"])
    for step in ("pad_track", "transcribe_track"):
        assert PLANNED_BY[step] == "plan_padding"

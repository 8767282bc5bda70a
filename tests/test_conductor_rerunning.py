"""Whether a workflow can be run again, and what happens where it cannot."""

import pytest

from reflector_migrate.clients.conductor_http import UnknownOutcomeError
from reflector_migrate.conductor.rerunning import rerun, why_anew
from reflector_migrate.conductor.workflows.load import PIPELINE, workflow_definition
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, spec_of
from reflector_migrate.settings import Settings
from tests.a_run import RAW
from tests.answering import answering, at

HOUR_S = 3600.0
NOW_S = 100 * HOUR_S
MERGE = {"taskDefName": "merge_transcripts", "seq": 17}


def join(seq, retries):
    """A JOIN as the server reports it."""
    return {"taskType": "JOIN", "referenceTaskName": "join", "seq": seq, "retryCount": retries}


def attempt(seq, status):
    """One at padding a track."""
    return {"taskType": "pad_track", "taskDefName": "pad_track", "seq": seq, "status": status}


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
        *(
            pytest.param(
                {"tasks": [attempt(5, status), attempt(8, "COMPLETED"), MERGE]},
                "a step before it needed another attempt", id=f"an attempt before it {status}",
            )
            for status in ("FAILED", "FAILED_WITH_TERMINAL_ERROR", "TIMED_OUT", "CANCELED")
        ),
        pytest.param({"tasks": [MERGE, attempt(20, "FAILED")]}, None, id="an attempt after it"),
    ],
)  # fmt: skip
def test_why_a_workflow_starts_again(changed, why):
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
    """3.32.3 schedules it and never gives it out: what precedes it is, or all starts again."""
    begins = spec_of(step).rerun_from or step
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
                begins = line.index(spec_of(task["name"]).rerun_from)
                assert begins < line.index(fork["taskReferenceName"])
    for step in ("pad_track", "transcribe_track"):
        assert spec_of(step).rerun_from == "plan_padding"


def of_run(workflow_id, made, *tasks):
    """An ended workflow of the run, made at that second."""
    given = {**RAW, "tracks": []}
    about = {"workflowId": workflow_id, "status": "FAILED", "input": given}
    return {**about, "createTime": made * 1000, "tasks": list(tasks)}


class Losing:
    """A server that starts what it is asked to, and never says so; or that dies then."""

    def __init__(self, *, dies=False):
        first = {"referenceTaskName": "get_recording", "taskDefName": "get_recording"}
        self.old = of_run("wf-2", 20, {**first, "seq": 1})
        self.known = [of_run("wf-1", 10), self.old]
        self.dies, self.started = dies, 0

    def __call__(self, method, path):
        """Carry it out."""
        if method == "POST":
            self.started += 1
            self.known.append(of_run("wf-3", 30))
            return None
        if self.dies and self.started:
            return None
        if path.endswith("/wf-2"):
            return 200, self.old
        return 200, (self.known if "/correlated/" in path else [])


def test_a_lost_answer_starts_nothing_twice(tmp_path):
    """The run's newest workflow is found, and neither the old one nor one before that."""
    server = Losing()
    with answering(server) as url:
        assert rerun(Harness.of(settings_at(tmp_path, url)), "wf-2", "get_recording") == "wf-3"
    assert server.started == 1


def test_where_the_server_is_unreachable_the_outcome_stays_unknown(tmp_path):
    """Not `unreachable`, which would mean that nothing has begun."""
    server = Losing(dies=True)
    with answering(server) as url, pytest.raises(UnknownOutcomeError, match="POST"):
        rerun(Harness.of(settings_at(tmp_path, url)), "wf-2", "get_recording")
    assert server.started == 1


def settings_at(folder, url):
    """With a store, which is left empty."""
    made = Settings.model_validate({"store": {"url": f"sqlite:///{folder}/store.db"}})
    return at(made, url)


def test_a_step_that_a_rerun_loses_is_put_back(tmp_path, monkeypatch):
    """3.32.3 takes it out of its queue where a worker asks before it counts as waiting."""
    monkeypatch.setattr("reflector_migrate.conductor.lost_tasks.SURELY_S", 0.0)
    step = {
        "taskId": "t", "workflowInstanceId": "wf", "taskDefName": "finalize", "seq": 1,
        "referenceTaskName": "finalize", "status": "COMPLETED", "updateTime": 1,
    }  # fmt: skip
    posted = []

    def server(method, path):
        if method == "POST":
            posted.append(path)
            return 200, "wf"
        waiting = {**step, "status": "SCHEDULED"} if posted else step
        if path.startswith("/tasks/queue"):
            return 200, {"finalize": 0}
        if path.startswith("/tasks/"):
            return 200, waiting
        status = "RUNNING" if posted else "COMPLETED"
        return 200, {**of_run("wf", 10, waiting), "status": status}

    with answering(server) as url:
        assert rerun(Harness.of(settings_at(tmp_path, url)), "wf", "finalize") == "wf"
    assert posted == ["/workflow/wf/rerun", "/tasks"]

"""An execution is read from the server's own JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reflector_migrate.clients.conductor_http import UnknownOutcomeError
from reflector_migrate.conductor.execution import execution_of, read, retry
from reflector_migrate.conductor.task_metadata import META
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from tests.answering import answering, at
from tests.progress_world import settings_of


def task(name, seq, status="COMPLETED", reference=None, **more):
    """A task as the server reports it."""
    return {
        "taskDefName": name,
        "referenceTaskName": reference or name,
        "taskId": f"id{seq}",
        "seq": seq,
        "status": status,
        "scheduledTime": 1000 * seq,
        "startTime": 1000 * seq + 10,
        "endTime": 1000 * seq + 500,
        **more,
    }


def workflow(status, *tasks, **more):
    """A workflow as the server reports it."""
    return {"workflowId": "wf", "status": status, "tasks": list(tasks), **more}


def test_a_step_run_carries_times_identity_usage_and_digests():
    """Everything the comparison needs of an attempt."""
    meta = {
        "build": "b1",
        "usage": {"llm_calls": 3},
        "input_digest": "i",
        "output_digest": "o",
    }
    output = {"words": {"ref": "artifact:1", "sha256": "x", "count": 2}, "_meta": meta}
    one = task(
        "transcribe_track", 1, reference="t_4", workerId="h:1:b1",
        inputData={"track_index": 4}, outputData=output,
    )  # fmt: skip
    (step,) = execution_of(workflow("COMPLETED", one)).step_runs
    assert (step.name, step.track_index, step.worker, step.build) == (
        "transcribe_track", 4, "h:1:b1", "b1",
    )  # fmt: skip
    assert step.queued == datetime.fromtimestamp(1, UTC)
    assert step.started == datetime.fromtimestamp(1.01, UTC)
    assert step.ended == datetime.fromtimestamp(1.5, UTC)
    assert step.timed == "measured"
    assert (step.usage.llm_calls, step.input_digest, step.output_digest) == (3, "i", "o")
    assert step.output_ref == "artifact:1"


def test_an_undefined_workers_task_is_listed_too():
    """It was added to ours; the server's own tasks are not steps."""
    tasks = [
        task("get_recording", 1, workflowTask={"type": "SIMPLE"}),
        task("join_padding", 2, workflowTask={"type": "JOIN"}),
        task("translate", 3, workflowTask={"type": "SIMPLE"}),
    ]
    found = execution_of(workflow("COMPLETED", *tasks)).step_runs
    assert [step.name for step in found] == ["get_recording", "translate"]


def test_attempts_are_counted_per_branch():
    """Two attempts of one track and one of another; system tasks are not steps."""
    found = execution_of(
        workflow(
            "RUNNING",
            task("pad_track", 3, "COMPLETED", "p_0", inputData={"track_index": 0}),
            task("FORK", 0),
            task("pad_track", 1, "FAILED", "p_0", inputData={"track_index": 0}),
            task("pad_track", 2, "COMPLETED", "p_1", inputData={"track_index": 1}),
        )
    )
    assert [(s.track_index, s.attempt, s.status) for s in found.step_runs] == [
        (0, 1, "failed"),
        (1, 1, "completed"),
        (0, 2, "completed"),
    ]
    assert found.failed_steps == ()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param("RUNNING", "running", id="running"),
        pytest.param("PAUSED", "running", id="paused"),
        pytest.param("COMPLETED", "completed", id="completed"),
        pytest.param("FAILED", "failed", id="failed"),
        pytest.param("TERMINATED", "failed", id="terminated by a person"),
        pytest.param("TIMED_OUT", "timed_out", id="timed out"),
    ],
)
def test_a_workflows_status_has_our_word(status, expected):
    """The engine's words stay in the engine's room."""
    assert execution_of(workflow(status)).status == expected


def test_an_optional_step_that_failed_is_not_hidden_by_completion():
    """Zulip may fail without failing the workflow, but not unseen."""
    failed = task(
        "post_zulip", 1, "COMPLETED_WITH_ERRORS", reasonForIncompletion="attempt 6 of 6: no"
    )
    found = execution_of(workflow("COMPLETED", failed))
    assert (found.status, found.failed_steps) == ("completed", ("post_zulip",))
    assert found.step_runs[0].error == "attempt 6 of 6: no"


def test_an_empty_id_is_not_an_execution():
    """A run that was never started is missing, without a server being asked."""
    nowhere = Settings.model_validate({"conductor": {"server_url": "http://127.0.0.1:9/api"}})
    assert read(Harness.of(nowhere), "").status == "missing"


class Falling:
    """A server that takes a retry, if it is to say so, and is then away."""

    def __init__(self, *, says_so):
        self.says_so, self.retried = says_so, 0

    def __call__(self, method, _path):
        """Until then a workflow that failed."""
        if method == "POST":
            self.retried += 1
            return (200, None) if self.says_so else None
        return None if self.retried else (200, workflow("FAILED"))


@pytest.mark.parametrize(
    ("waited_for", "asked"),
    [
        pytest.param(["pad_track_0"], "retry", id="all were scheduled: retried"),
        pytest.param(["pad_track_0", "pad_track_1"], "restart", id="one never was: begun again"),
    ],
)
def test_a_join_that_waits_for_what_was_never_scheduled(waited_for, asked, tmp_path):
    """The server cannot retry that workflow (3.32.3 answers 500): it starts with its first step."""
    join = {"taskType": "JOIN", "referenceTaskName": "join", "inputData": {"joinOn": waited_for}}
    tasks = [{"taskType": "SIMPLE", "referenceTaskName": "pad_track_0"}, join]
    posted = []

    def server(method, path):
        if method == "POST":
            posted.append(path)
        status = "RUNNING" if posted else "FAILED"
        return 200, {"workflowId": "wf", "status": status, "tasks": tasks}

    with answering(server) as url:
        retry(Harness.of(at(settings_of(tmp_path), url)), "wf")
    assert posted == [f"/workflow/wf/{asked}"]


def test_a_retry_that_was_accepted_stays_so_when_it_cannot_be_seen(tmp_path):
    """The caller would take it back otherwise, although it runs."""
    server = Falling(says_so=True)
    with answering(server) as url:
        retry(Harness.of(at(settings_of(tmp_path), url)), "wf")
    assert server.retried == 1
    server = Falling(says_so=False)
    with answering(server) as url, pytest.raises(UnknownOutcomeError):
        retry(Harness.of(at(settings_of(tmp_path), url)), "wf")
    assert server.retried == 1


def test_another_who_was_faster_is_let_go_on(tmp_path):
    """Ended again over the old failure, and retried by the failure workflow before us."""
    seen = iter(["FAILED", "FAILED", *["RUNNING"] * 99])
    taken = iter([(200, None), (404, {"message": "not retryable"})])
    answers = {"GET": lambda: (200, workflow(next(seen))), "POST": lambda: next(taken)}
    with answering(lambda method, _path: answers[method]()) as url:
        retry(Harness.of(at(settings_of(tmp_path), url)), "wf")
    assert next(taken, None) is None


@pytest.mark.parametrize(
    ("status", "meta", "cause"),
    [
        ("TIMED_OUT", {"attempt": 2, "cause": "outage"}, "outage"),
        ("FAILED", {"attempt": 2, "cause": "passing"}, "passing"),
        ("TIMED_OUT", {"attempt": 1, "cause": "outage"}, None),
        ("COMPLETED", {"attempt": 2, "cause": "outage"}, None),
        ("FAILED", {"attempt": 2, "cause": "what"}, None),
        ("FAILED", {"attempt": 2}, None),
    ],
    ids=["outage", "passing", "its predecessor's", "completed", "unknown", "its own"],
)
def test_why_an_attempt_failed_is_its_own_workers_word(
    status: str, meta: dict[str, object], cause: str | None
) -> None:
    """3.15.0 shows a predecessor's output with an attempt: that one's cause is not taken over."""
    found = execution_of({
        "workflowId": "w", "status": "FAILED",
        "tasks": [task("finalize", 1, status, retryCount=1, outputData={META: meta})],
    })  # fmt: skip
    assert found.step_runs[0].cause == cause

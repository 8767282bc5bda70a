"""What a worker does around its step: result, failure class, reason, heartbeat."""

from __future__ import annotations

import json

import pytest
from conductor.client.http.models.task import Task

from reflector_migrate.conductor.runtime.task_runner import TaskRunner, reason_of
from reflector_migrate.conductor.task_metadata import META, without_meta
from reflector_migrate.errors import OutageError, TerminalStepError, TransientStepError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.runner import StepResult
from reflector_migrate.settings import Settings
from tests.harness_world import WHO, Watcher, answering, raising, work


def test_a_result_says_who_made_it_and_what_it_used():
    """Identity, usage and digests are in the task's output, beside the step's own fields."""
    result, told = work(answering({"transcript_status": "ended"}))
    assert result.status == "COMPLETED"
    assert result.worker_id == "host:7:build1"
    assert result.output_data == {
        "transcript_status": "ended",
        META: {
            "host": "host",
            "pid": 7,
            "build": "build1",
            "contract": "contract1",
            "attempt": 1,
            "attempts": 4,
            "usage": {"llm_calls": 2},
            "input_digest": "in",
            "output_digest": "out",
        },
    }
    assert told == ["started", "completed"]


@pytest.mark.parametrize(
    ("error", "retry_count", "status", "reason", "told"),
    [
        pytest.param(
            TerminalStepError("field x: missing"), 0,
            "FAILED_WITH_TERMINAL_ERROR", "attempt 1 of 4: field x: missing", ["started", "failed"],
            id="hopeless: told at once",
        ),
        pytest.param(
            TransientStepError("HTTP 503"), 0,
            "FAILED", "attempt 1 of 4: HTTP 503", ["started"],
            id="transient: about to be tried again, no failure yet",
        ),
        pytest.param(
            TransientStepError("HTTP 503"), 3,
            "FAILED", "attempt 4 of 4: HTTP 503", ["started", "failed"],
            id="the last attempt",
        ),
        pytest.param(
            KeyError("a word"), 1, "FAILED", "attempt 2 of 4: KeyError at execute", ["started"],
            id="a bug of ours is retried",
        ),
    ],
)  # fmt: skip
def test_failures_have_a_class_and_a_reason(error, retry_count, status, reason, told):
    """Hopeless ones end the step, others are tried again; attempt n of m is there to be read."""
    result, heard = work(raising(error), retry_count=retry_count)
    assert result.status == status
    assert result.reason_for_incompletion.startswith(reason)
    assert result.output_data[META]["usage"] == {"llm_tokens_in": 5}
    assert heard == told


@pytest.mark.parametrize(
    ("outcome", "is_at_work", "told"),
    [
        pytest.param("error", False, ["started", "completed"], id="failed for good"),
        pytest.param("error", True, [], id="goes on after all: neither written nor told"),
        pytest.param("ended", True, ["started", "completed"], id="a good end is never doubted"),
    ],
)
def test_error_is_written_only_when_the_workflow_is_over(monkeypatch, outcome, is_at_work, told):
    """A failure workflow may be mistaken: a JOIN cut the other one short, or a person retried."""
    asked = []
    monkeypatch.setattr(
        "reflector_migrate.conductor.workers.finalize.resume_if_cut_short",
        lambda _settings, workflow_id: asked.append(workflow_id) or is_at_work,
    )
    run = {"workflow_id": "the-failed-one"}
    result, heard = work(answering({"transcript_status": outcome}), run=run, outcome=outcome)
    assert result.status == "COMPLETED"
    assert ("transcript_status" in result.output_data) is bool(told)
    assert heard == told
    assert asked == (["the-failed-one"] if outcome == "error" else [])


def test_a_database_that_is_away_costs_no_attempt():
    """The task goes back for a while, and one can read why; no failure is published."""
    result, heard = work(raising(OutageError("database: no connection")), retry_count=3)
    assert (result.status, result.callback_after_seconds) == ("IN_PROGRESS", 5)
    assert result.reason_for_incompletion == "waiting: database: no connection"
    assert result.output_data[META]["cause"] == "outage"
    assert heard == ["started"]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TransientStepError("503"), "passing"),
        (TerminalStepError("404"), None),
        (KeyError("x"), None),
    ],
    ids=["a server's", "hopeless", "the code's"],
)
def test_a_failed_attempt_says_whether_a_server_was_to_blame(error: Exception, cause: str) -> None:
    """What passes is marked as that; a fault of the input or of the code is not."""
    result, _ = work(raising(error))
    assert result.output_data[META].get("cause") == cause


def test_what_an_attempt_has_used_is_known_before_it_ends():
    """What another worker put back with the task counts; each addition is reported, as a part."""
    told = []
    left = {META: {"attempt": 1, "usage": {"llm_calls": 2}}}
    task = Task(task_id="t", task_def_name="finalize", output_data=left, input_data={})

    def execute(step, raw, settings, heartbeat, meter):
        meter.add(llm_calls=1)
        told.append(runner.cut_short(task))
        raise TransientStepError("no")

    runner = TaskRunner(Harness.of(Settings()), WHO, execute, Watcher(), lambda _task: lambda: None)
    runner.on_usage = lambda: told.append(runner.cut_short(task))
    assert runner.cut_short(task) == Usage(llm_calls=2)
    result = runner.work("finalize", task)
    assert told == [Usage(llm_calls=3, is_partial=True)] * 2
    assert result.output_data[META]["usage"] == {"llm_calls": 3}
    assert runner.meta_of_unfinished(task)[META]["usage"] == {"llm_calls": 3, "is_partial": True}
    runner.forget(task)
    assert runner.cut_short(task) == Usage(llm_calls=2)
    task.retry_count = 1  # 3.15.0 gives the next attempt what this one left
    assert runner.cut_short(task) == Usage()
    assert runner.work("finalize", task).output_data[META]["usage"] == {"llm_calls": 1}


def test_a_reason_has_no_words_of_a_transcript():
    """An unforeseen error may quote the data; only its kind and place are named."""
    result, _ = work(raising(ValueError("could not parse: the patient said")))
    assert "patient" not in json.dumps([result.reason_for_incompletion, result.output_data])
    assert not result.logs


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        pytest.param(
            "GET https://s3/b/k?X-Amz-Signature=abc failed", "GET https://s3/b/k failed",
            id="a presigned address",
        ),
        pytest.param(
            "postgresql://u:secret@db/x refused", "postgresql://db/x refused", id="a password"
        ),
        pytest.param("plain", "plain", id="nothing to hide"),
    ],
)  # fmt: skip
def test_a_reason_has_no_secrets(message, shown):
    """Queries and credentials of addresses are cut."""
    assert reason_of(TransientStepError(message)) == shown


def test_a_result_too_large_for_the_engine_is_hopeless():
    """Large values are passed by address; one that is not is a defect, not a passing failure."""
    result, told = work(answering({"title": "x" * 70_000}))
    assert result.status == "FAILED_WITH_TERMINAL_ERROR"
    assert "64" in result.reason_for_incompletion or "65536" in result.reason_for_incompletion
    assert told == ["started", "failed"]


def test_a_step_never_sees_what_workers_add():
    """A JOIN's output carries one `_meta` per branch; the contract knows none."""
    seen = {}

    def execute(step, raw, settings, heartbeat, meter):
        seen.update(raw)
        return StepResult({}, Usage(), "", "")

    branches = {"t_0": {"track_index": 0, META: {"pid": 1}}}
    work(execute, transcripts=branches, listed=[{META: 1, "x": 2}])
    assert seen == {"transcripts": {"t_0": {"track_index": 0}}, "listed": [{"x": 2}]}
    assert without_meta(5) == 5


@pytest.mark.parametrize(
    ("step", "retry_count", "told"),
    [
        pytest.param("send_webhook", 0, {"attempt": 0}, id="the first delivery is retry 0"),
        pytest.param("send_webhook", 4, {"attempt": 4}, id="the fifth is retry 4"),
        pytest.param("generate_summary", 2, {"is_last_attempt": False}, id="one more to come"),
        pytest.param("generate_summary", 3, {"is_last_attempt": True}, id="the last of four"),
        pytest.param("finalize", 4, {}, id="no step is told that does not ask"),
    ],
)
def test_a_step_knows_of_attempts_what_it_asks(step, retry_count, told):
    """The server's count reaches the webhook's receiver, and a summary that may do without."""
    seen = []

    def execute(step, raw, settings, heartbeat, meter):
        seen.append(raw)
        return StepResult({}, Usage(), "in", "out")

    work(execute, step, retry_count)
    assert seen == [told]

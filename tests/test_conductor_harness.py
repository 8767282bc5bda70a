"""What a worker does around its step: result, failure class, reason, heartbeat."""

from __future__ import annotations

import json
import os
from importlib import import_module

import pytest
from conductor.client.http.models.task import Task

from reflector_migrate.conductor.domain import Identity
from reflector_migrate.conductor.workers import notes
from reflector_migrate.conductor.workers.desk import early_by
from reflector_migrate.conductor.workers.groups import GROUPS, members
from reflector_migrate.conductor.workers.harness import Harness, reason_of
from reflector_migrate.conductor.workers.meta import META, without_meta
from reflector_migrate.conductor.workers.table import WORKERS
from reflector_migrate.errors import OutageError, TerminalStepError, TransientStepError
from reflector_migrate.model import STEP_NAMES, Usage
from reflector_migrate.pipeline.runner import StepResult
from reflector_migrate.pipeline.services.connections import bus, connections
from reflector_migrate.settings import Settings, WorkerSettings
from reflector_migrate.store.base import engine_for

WHO = Identity("host", 7, "build1", "contract1")


class Watcher:
    """Remembers what it was told."""

    def __init__(self):
        self.told = []

    def started(self, *_about):
        """Hear of a beginning."""
        self.told.append("started")

    def completed(self, *_about):
        """Hear of an output."""
        self.told.append("completed")

    def failed(self, *_about):
        """Hear of an end."""
        self.told.append("failed")


def work(execute, step="finalize", retry_count=0, **inputs):
    """The result of one task, and what the watcher heard."""
    watcher = Watcher()
    harness = Harness(Settings(), WHO, execute, watcher, lambda _task: lambda: None)
    task = Task(task_id="t", workflow_instance_id="w", input_data=inputs, retry_count=retry_count)
    return WORKERS[step](task, harness), watcher.told


def raising(error):
    """A step that fails, after having used something."""

    def execute(step, raw, settings, heartbeat, meter):
        meter.add(llm_tokens_in=5)
        raise error

    return execute


def answering(output):
    """A step that answers."""

    def execute(step, raw, settings, heartbeat, meter):
        return StepResult(output, Usage(llm_calls=2), "in", "out")

    return execute


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
        "reflector_migrate.conductor.workers.finalize.goes_on",
        lambda _settings, workflow_id: asked.append(workflow_id) or is_at_work,
    )
    run = {"workflow_id": "the-failed-one"}
    result, heard = work(answering({"transcript_status": outcome}), run=run, outcome=outcome)
    assert result.status == "COMPLETED"
    assert ("transcript_status" in result.output_data) is bool(told)
    assert heard == told
    assert asked == (["the-failed-one"] if outcome == "error" else [])


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


def test_a_database_that_is_away_costs_no_attempt():
    """The task goes back for a while, and one can read why; nobody is told of a failure."""
    result, heard = work(raising(OutageError("database: no connection")), retry_count=3)
    assert (result.status, result.callback_after_seconds) == ("IN_PROGRESS", 5)
    assert result.reason_for_incompletion == "waiting: database: no connection"
    assert heard == ["started"]


def test_what_a_process_is_at_is_there_for_its_parent(tmp_path):
    """The last thing written counts; a process that wrote nothing was at nothing."""
    path = notes.notes_beside(tmp_path / "0")
    assert notes.read(path) == ()
    first = notes.Note("pad_track", "t1", "w1", 1, {"s3_requests": 2})
    notes.write(path, [first, notes.Note("pad_track", "t2", "w1", 2, {})])
    notes.write(path, [first])
    assert notes.read(path) == (first,)
    notes.write(None, [first])
    notes.write(tmp_path / "no-such-folder" / "x", [first])


def test_what_an_attempt_has_used_is_known_before_it_ends():
    """What another worker put back with the task counts; each addition is told, as a part."""
    told = []
    left = {META: {"attempt": 1, "usage": {"llm_calls": 2}}}
    task = Task(task_id="t", task_def_name="finalize", output_data=left, input_data={})

    def execute(step, raw, settings, heartbeat, meter):
        meter.add(llm_calls=1)
        told.append(harness.cut_short(task))
        raise TransientStepError("no")

    harness = Harness(Settings(), WHO, execute, Watcher(), lambda _task: lambda: None)
    harness.on_usage = lambda: told.append(harness.cut_short(task))
    assert harness.cut_short(task) == Usage(llm_calls=2)
    result = harness.work("finalize", task)
    assert told == [Usage(llm_calls=3, is_partial=True)] * 2
    assert result.output_data[META]["usage"] == {"llm_calls": 3}
    assert harness.meta_of_unfinished(task)[META]["usage"] == {"llm_calls": 3, "is_partial": True}
    harness.forget(task)
    assert harness.cut_short(task) == Usage(llm_calls=2)
    task.retry_count = 1  # 3.15.0 gives the next attempt what this one left
    assert harness.cut_short(task) == Usage()
    assert harness.work("finalize", task).output_data[META]["usage"] == {"llm_calls": 1}


def test_nothing_that_was_made_before_a_process_began_is_used_in_it(tmp_path):
    """Database engine, HTTP and S3 clients and the bus: a forked child has its own of each."""
    settings = Settings.model_validate({"s3": {"endpoint_url": "http://127.0.0.1:1"}})
    url = f"sqlite:///{tmp_path / 'x.db'}"

    def made():
        links = connections(settings)
        return [engine_for(url), links.http, links.s3, bus("redis://127.0.0.1:1/0")]

    before = made()
    assert all(mine is kept for mine, kept in zip(made(), before, strict=True))
    child = os.fork()
    if child == 0:
        shared = [mine is theirs for mine, theirs in zip(made(), before, strict=True)]
        os._exit(any(shared))
    assert os.waitpid(child, 0)[1] == 0


def test_a_reason_tells_no_words_of_a_transcript():
    """An unforeseen error may quote the data; only its kind and place are told."""
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
def test_a_reason_tells_no_secrets(message, shown):
    """Queries and credentials of addresses are cut."""
    assert reason_of(TransientStepError(message)) == shown


def test_a_result_too_large_for_the_engine_is_hopeless():
    """Large values travel by reference; one that does not is a defect, not a passing failure."""
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


@pytest.mark.parametrize("step", STEP_NAMES)
def test_each_step_has_a_worker_in_a_file_of_its_name(step):
    """The requirements' files exist and each does its own step."""
    module = import_module(f"reflector_migrate.conductor.workers.{step}")
    called = []

    def execute(name, raw, settings, heartbeat, meter):
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

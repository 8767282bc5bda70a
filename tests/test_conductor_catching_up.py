"""A task whose worker is silent for too long is pointed out to the server; no other is."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from reflector_migrate.clients.conductor_http import NotFoundError
from reflector_migrate.conductor.premature_failure import (
    is_cut_short,
    resume,
    resume_if_cut_short,
)
from reflector_migrate.conductor.watchdog import is_idle, is_overdue
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings

NOW_S = 1_000.0


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param({"startTime": 960_000}, True, id="taken long ago, never heard of"),
        pytest.param({"startTime": 960_000, "updateTime": 990_000}, False, id="its lease renewed"),
        pytest.param({"startTime": 970_500}, False, id="within a second of the timeout"),
        pytest.param({"status": "SCHEDULED", "startTime": 1}, False, id="nobody has it"),
        pytest.param(
            {"responseTimeoutSeconds": 0, "startTime": 960_000}, False, id="silence is fine"
        ),
        pytest.param(
            {"startTime": 930_000, "updateTime": 999_000}, True, id="alive, but for too long"
        ),
    ],
)
def test_overdue(task, expected):
    """By the response timeout from the last sign of life, or by the timeout from the start."""
    base = {"status": "IN_PROGRESS", "responseTimeoutSeconds": 30, "updateTime": 0}
    assert is_overdue({**base, **task}, NOW_S, total_s=60) is expected


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        pytest.param([("pad_track", "COMPLETED", 996_000)], True, id="nothing follows"),
        pytest.param([("pad_track", "COMPLETED", 998_000)], False, id="what follows is planned"),
        pytest.param(
            [("pad_track", "FAILED", 900_000), ("pad_track", "SCHEDULED", 0)], False,
            id="waits for its next attempt",
        ),
        pytest.param([("JOIN", "IN_PROGRESS", 0)], True, id="only the server's own task is open"),
        pytest.param([], True, id="never begun"),
    ],
)  # fmt: skip
def test_idle(tasks, expected):
    """There is nothing to do, and the last end, or the start, is three seconds ago."""
    named = ({"taskDefName": name, "status": s, "endTime": end} for name, s, end in tasks)
    assert is_idle({"startTime": 990_000, "tasks": list(named)}, NOW_S) is expected


def attempt(step, status, retries=0, seq=1, reference=None):
    """A task as the server reports it."""
    return {
        "taskDefName": step, "referenceTaskName": reference or step, "status": status,
        "retryCount": retries, "seq": seq,
    }  # fmt: skip


FAILED = attempt("pad_track", "FAILED", reference="pad_track_0")


def lost(status, times):
    """So many attempts of a step, each of which ended so."""
    return [attempt("pad_track", status, n, n) for n in range(times)]


@pytest.mark.parametrize(
    ("status", "tasks", "expected"),
    [
        pytest.param("FAILED", [FAILED], True, id="one failure of four"),
        pytest.param(
            "FAILED", [FAILED, attempt("pad_track", "CANCELED", 1, 2, "pad_track_0")], True,
            id="its next attempt was there, and cancelled",
        ),
        pytest.param(
            "FAILED", [FAILED, attempt("pad_track", "SCHEDULED", 1, 2, "pad_track_0")], True,
            id="its next attempt is there, and not yet cancelled",
        ),
        pytest.param("FAILED", lost("TIMED_OUT", 3), True, id="third timeout"),
        pytest.param("FAILED", lost("FAILED", 4), False, id="the last attempt"),
        pytest.param(
            "FAILED", [attempt("pad_track", "CANCELED", 2), attempt("pad_track", "FAILED", 3, 2)],
            True, id="what a JOIN cancelled is no failure",
        ),
        pytest.param(
            "FAILED", [FAILED, attempt("finalize", "FAILED_WITH_TERMINAL_ERROR")], False,
            id="another step is hopeless",
        ),
        pytest.param("RUNNING", [FAILED], False, id="about to be tried again"),
        pytest.param("TERMINATED", [FAILED], False, id="by a person"),
        pytest.param("FAILED", [], False, id="before any step"),
        pytest.param("FAILED", [attempt("finalize", "COMPLETED")], False, id="no step failed"),
    ],
)  # fmt: skip
def test_a_workflow_that_a_join_cut_short(status, tasks, expected):
    """Failed, and yet no step is out of attempts."""
    assert is_cut_short({"status": status, "tasks": tasks}) is expected


CUT = {"workflowId": "w", "status": "FAILED", "tasks": [FAILED]}
AT_WORK = {**CUT, "status": "RUNNING"}
OVER = {**CUT, "tasks": lost("FAILED", 4)}
LEFT_OPEN = {**CUT, "tasks": [FAILED, attempt("pad_track", "SCHEDULED", 1, 2, "pad_track_0")]}


def test_an_attempt_cancelled_amid_a_retry_ends_no_workflow():
    """The server calls that TERMINATED, as if a person had asked for it (seen on 3.32.3)."""
    said = "Task 3737f150 failed with status: TERMINATED and reason: 'null'"
    ended = {"status": "TERMINATED", "tasks": [FAILED], "reasonForIncompletion": said}
    assert is_cut_short(ended)
    assert not is_cut_short({**ended, "reasonForIncompletion": "Workflow terminated by a person"})


@pytest.mark.parametrize(
    ("seen", "answers", "expected"),
    [
        pytest.param([CUT, AT_WORK], [None], AT_WORK, id="goes on"),
        pytest.param([CUT, CUT, AT_WORK], [None, None], AT_WORK, id="cut short a second time"),
        pytest.param([CUT, AT_WORK], [NotFoundError("runs")], AT_WORK, id="another was faster"),
        pytest.param([CUT, OVER], [RefusedError("ended")], OVER, id="ended for good meanwhile"),
        pytest.param([OVER], [], OVER, id="never cut short"),
        pytest.param([CUT] * 6, [None] * 5, CUT, id="not for ever"),
    ],
)
def test_what_is_cut_short_goes_on(monkeypatch, seen, answers, expected):
    """Retried while it is cut short, at most five times, whatever other processes do."""
    left, states = list(answers), iter(seen)

    class Server:
        """Tells one state after another."""

        workflow = staticmethod(lambda _id: next(states))

    def retry(_settings, _id):
        if (error := left.pop(0)) is not None:
            raise error

    monkeypatch.setattr("reflector_migrate.conductor.premature_failure.retry", retry)
    assert resume(Harness.of(Settings()), Server(), next(states)) == expected
    assert left == []


@pytest.mark.parametrize(("seen", "decided"), [(CUT, []), (LEFT_OPEN, ["w"])])
def test_an_attempt_that_came_too_late_is_cancelled_first(monkeypatch, seen, decided):
    """The server finds nothing to retry while it waits for a worker (seen on 3.32.3)."""
    done = []

    class Server:
        """Has it go on."""

        workflow = staticmethod(lambda _id: AT_WORK)
        decide = staticmethod(done.append)

    monkeypatch.setattr(
        "reflector_migrate.conductor.premature_failure.retry", lambda _settings, _id: None
    )
    assert resume(Harness.of(Settings()), Server(), seen) == AT_WORK
    assert done == decided


@pytest.mark.parametrize(
    ("status", "tasks", "expected"),
    [
        pytest.param("FAILED", lost("FAILED", 4), False, id="over"),
        pytest.param("TIMED_OUT", [attempt("pad_track", "CANCELED")], False, id="timed out"),
        pytest.param("RUNNING", [FAILED], True, id="at work"),
        pytest.param("COMPLETED", [attempt("finalize", "COMPLETED")], True, id="done"),
        pytest.param("TERMINATED", [attempt("finalize", "COMPLETED")], True, id="by hand, ended"),
        pytest.param("TIMED_OUT", [attempt("finalize", "COMPLETED")], True, id="late, ended"),
        pytest.param("TERMINATED", [attempt("finalize", "CANCELED")], False, id="amid the end"),
    ],
)
def test_what_has_ended_its_transcript_is_done(monkeypatch, status, tasks, expected):
    """A failure workflow writes no `error` over `ended`, whatever ended the rest."""
    seen = {"workflowId": "w", "status": status, "tasks": tasks}

    class Server:
        """Tells the same state always."""

        workflow = staticmethod(lambda _id: seen)

    monkeypatch.setattr(Harness, "conductor", lambda _self: nullcontext(Server()))
    assert resume_if_cut_short(Harness.of(Settings()), "w") is expected

"""What is done about a run, by what was seen of it: the whole decision as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reflector_migrate.conductor.execution import execution_of
from reflector_migrate.conductor.watchdog import Repair
from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.model import Role
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.decision import (
    End,
    Judge,
    Observe,
    Postpone,
    Settle,
    Wait,
    decide,
)
from reflector_migrate.shadow.observe.failure import FailureView
from reflector_migrate.shadow.observe.run_view import CandidateView, RunView
from reflector_migrate.shadow.observe.sides import LegacyView
from reflector_migrate.shadow.recover.heal import (
    NoteEnd,
    PublishProgress,
    RepairWorkflow,
    SayError,
)
from reflector_migrate.store.runs import RunRecord

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
BEGUN = NOW - timedelta(minutes=30)
RUN = RunRecord(
    "r", "c", "rec", "t", "shadow", state="started", created_at=BEGUN, started_at=BEGUN,
    waiting_since=BEGUN, workflow_id="w",
)  # fmt: skip
AWAY = ServerUnreachableError("away")
BOTH = {Role.PRIMARY: 0, Role.CANDIDATE: 0}


def ms(ago_s: float) -> int:
    """So long ago, as Conductor says it."""
    return int((NOW.timestamp() - ago_s) * 1000)


def workflow(status: str, ended_s: float = 300, tasks: tuple = ()) -> CandidateView:
    """A workflow that began half an hour ago, as the server has it."""
    made = {
        "workflowId": "w", "status": status, "tasks": list(tasks), "startTime": ms(1800),
        "endTime": 0 if status == "RUNNING" else ms(ended_s),
    }  # fmt: skip
    return CandidateView(execution_of(made), made)


def task(status: str, **more: object) -> dict:
    """A step's task."""
    return {
        "taskDefName": "pad_track", "referenceTaskName": "pad_track_0", "status": status,
        "retryCount": 0, "seq": 1, "endTime": ms(1), **more,
    }  # fmt: skip


BUSY = workflow("RUNNING", tasks=(task("IN_PROGRESS", startTime=ms(1), updateTime=ms(1)),))
DONE = workflow("COMPLETED")
FAILED = workflow("FAILED", tasks=(task("FAILED", retryCount=9),))
TOLD = FailureView(NOW - timedelta(minutes=5), "error", False, True, True, True)
CUT = workflow("FAILED", tasks=(task("FAILED"),))
RUNNING = LegacyView(Role.PRIMARY, "processing")
SETTLED = LegacyView(Role.PRIMARY, "ended", is_settled=True, ended_at=NOW)
LAGGING = LegacyView(Role.PRIMARY, "ended", ended_at=NOW - timedelta(seconds=80), patience_s=90)
SILENT = replace(LAGGING, ended_at=NOW - timedelta(seconds=100))
SECOND = replace(RUNNING, role=Role.SECONDARY)


def view(state: str, **seen: object) -> RunView:
    """What was seen of a run in that state."""
    values = {"primary": RUNNING, "kept": {}, **seen}
    return RunView(replace(RUN, state=state, **values.pop("run", {})), **values)


OLD = {"started_at": NOW - timedelta(hours=7)}
LONG = {"waiting_since": NOW - timedelta(hours=25)}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view("waiting"), Wait, id="waiting: the primary is at work"),
        pytest.param(view("waiting", primary=SETTLED), Observe(Role.PRIMARY),
                     id="waiting: the primary is observed as soon as it has settled"),
        pytest.param(view("waiting", kept={Role.PRIMARY: 0}), Wait, id="waiting: for a place"),
        pytest.param(view("waiting", run=LONG), End, id="waiting: no place in its time"),
        pytest.param(view("waiting", primary=None, trouble=AWAY), Wait,
                     id="waiting: its place does not depend on the primary's database"),
        pytest.param(view("started", candidate=BUSY), Wait, id="started: both at work"),
        pytest.param(view("started", candidate=BUSY, primary=SETTLED), Observe(Role.PRIMARY),
                     id="started: the primary first"),
        pytest.param(view("started", candidate=BUSY, primary=LAGGING), Wait,
                     id="started: side effects may still follow"),
        pytest.param(view("started", candidate=BUSY, primary=SILENT), Observe(Role.PRIMARY),
                     id="started: the plugin is silent"),
        pytest.param(view("started", candidate=DONE), Settle(), id="started: the workflow ended"),
        pytest.param(view("started", candidate=DONE, again_at=NOW - timedelta(seconds=9)), Wait,
                     id="started: a retry may not have reached the server"),
        pytest.param(view("started", candidate=BUSY, run=OLD), Settle(), id="started: too long"),
        pytest.param(view("started", candidate=BUSY, run=OLD, again_at=BEGUN), Wait,
                     id="started: a manual retry has its own time"),
        pytest.param(view("started", trouble=AWAY), Postpone(AWAY), id="started: servers away"),
        pytest.param(view("started", trouble=AWAY, run=OLD), Settle(),
                     id="started: the place is freed although the server is away"),
        pytest.param(view("started", trouble=AWAY, primary=SETTLED), Observe(Role.PRIMARY),
                     id="started: the primary is observed although Conductor is away"),
        pytest.param(view("started", candidate=replace(FAILED, failure=TOLD)), Settle(),
                     id="started: failed, and its row says so"),
        pytest.param(view("started", candidate=CUT), Wait, id="started: cut short, is resumed"),
        pytest.param(view("started", candidate=replace(CUT, was_resumed=True)), Settle(),
                     id="started: cut short, was resumed in vain"),
        pytest.param(view("started", candidate=BUSY, later_run="r2"), End,
                     id="started: the primary ran again"),
        pytest.param(view("started", candidate=BUSY, later_run="r2", kept={Role.PRIMARY: 0}), Wait,
                     id="started: it ran again, its first result is stored"),
        pytest.param(view("settling"), Observe(Role.CANDIDATE), id="settling: the candidate"),
        pytest.param(view("settling", kept={Role.CANDIDATE: 0}), Wait,
                     id="settling: for the primary"),
        pytest.param(view("settling", kept=BOTH, go=1), Observe(Role.CANDIDATE),
                     id="settling: the candidate of this go"),
        pytest.param(view("settling", kept={Role.CANDIDATE: 0}, run=OLD), Observe(Role.PRIMARY),
                     id="settling: a primary that does not end is observed as it is"),
        pytest.param(view("settling", kept=BOTH), Judge(), id="settling: both are stored"),
        pytest.param(view("settling", kept=BOTH, secondary=SECOND, has_secondary=True), Wait,
                     id="settling: for the secondary"),
        pytest.param(view("settling", kept=BOTH, trouble=AWAY), Postpone(AWAY),
                     id="settling: whether there is a secondary is not known"),
        pytest.param(
            view("settling", kept={Role.CANDIDATE: 0}, primary=None, trouble=AWAY, run=OLD),
            Postpone(AWAY), id="settling: lateness makes no end of our own trouble"),
    ],
)  # fmt: skip
def test_what_is_done(seen: RunView, expected: object) -> None:
    """Each state with each thing that can be seen in it."""
    then = decide(seen, NOW, Settings()).then
    if isinstance(expected, type):
        assert isinstance(then, expected)
    else:
        assert then == expected


UNTOLD = replace(TOLD, row_status="processing")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view("waiting", primary=SETTLED), [], id="an end that is noted"),
        pytest.param(view("waiting", primary=replace(SETTLED, ended_at=None)),
                     [NoteEnd(Role.PRIMARY)], id="an end seen for the first time"),
        pytest.param(view("started", candidate=BUSY), [PublishProgress(BUSY)], id="progress"),
        pytest.param(view("started", candidate=CUT), [RepairWorkflow(CUT, Repair.RESUME)],
                     id="cut short: its progress waits until it is resumed"),
        pytest.param(
            view("started", candidate=replace(FAILED, failure=replace(UNTOLD, was_followed=False,
                                                                      has_follower=False))),
            [PublishProgress, SayError(None)], id="nobody set `error`"),
        pytest.param(view("started", candidate=replace(FAILED, failure=UNTOLD)),
                     [PublishProgress], id="its failure workflow's own fault stays to be seen"),
    ],
)  # fmt: skip
def test_what_is_mended(seen: RunView, expected: list[object]) -> None:
    """What needs help, and nothing else."""
    heals = decide(seen, NOW, Settings()).heals
    assert [type(h) if isinstance(e, type) else h for h, e in zip(heals, expected, strict=True)] \
        == expected  # fmt: skip

"""A failed workflow counts as running until its row says so; the collector says it if need be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from reflector_migrate.conductor.execution import Execution, execution_of
from reflector_migrate.harness import Harness
from reflector_migrate.model import StepRun
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.shadow.observe.failure import Outlook, failure_view, outlook
from reflector_migrate.shadow.recover.orphaned_failure import say_error
from reflector_migrate.store.clock import now
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.runs import Runs
from tests.answering import answering, at
from tests.test_shadow_taking_up import RUN, row_of, settings, tell, told

pytestmark = pytest.mark.heavy

__all__ = ["settings"]

TERMINATED, FOLLOWED = None, "another-workflow"


def look(settings, run, execution):
    """As the collector does: look, then act; whether `error` is still to come."""
    seen = failure_view(Harness.of(settings), run, execution)
    found = outlook(seen, now())
    if found is Outlook.OURS:
        say_error(Harness.of(settings), run, seen.again_at)
    return found is Outlook.COMING


def failed(ended_s, *, followed_by=TERMINATED, status="failed", steps=()):
    """An execution that ended so many seconds ago."""
    at = now() - timedelta(seconds=ended_s)
    return Execution("w", status, steps, ended=at, failure_workflow=followed_by)


def begin(settings, status="processing"):
    """The row as it is while its workflow runs."""
    events = [{"event": "DURATION", "data": {"duration": 1.0}}]
    rows = Rows.at(place_of_run(settings, "r").database_url)
    rows.update_transcript("t", status=status, events=events)


@pytest.mark.parametrize(
    ("execution", "row", "is_open"),
    [
        pytest.param(partial(failed, 1, followed_by=FOLLOWED), "processing", True, id="being told"),
        pytest.param(
            partial(failed, 50, followed_by=FOLLOWED), "uploaded", True, id="its first step"
        ),
        pytest.param(partial(failed, 1), "processing", True, id="a step may still be at work"),
        pytest.param(partial(failed, 1, status="timed_out"), "processing", True, id="timed out"),
        pytest.param(partial(failed, 1, followed_by=FOLLOWED), "error", False, id="told"),
        pytest.param(partial(failed, 1), "ended", False, id="what came after its end failed"),
        pytest.param(partial(failed, 99, status="completed"), "processing", False, id="completed"),
        pytest.param(partial(failed, 99, status="running"), "processing", False, id="running"),
        pytest.param(
            partial(Execution, "w", "missing"), "processing", False, id="the server lost it"
        ),
    ],
)
def test_another_process_that_may_publish_it_is_left_to(settings, execution, row, is_open):
    """Nothing is written or published, whether it is waited for or not."""
    begin(settings, row)
    assert look(settings, RUN, execution()) is is_open
    assert row_of(settings).status == row
    assert told(settings) == []


@pytest.mark.parametrize(
    "execution",
    [
        pytest.param(partial(failed, 16), id="a person terminated it"),
        pytest.param(partial(failed, 61, followed_by=FOLLOWED), id="its failure workflow is lost"),
        pytest.param(partial(failed, 61, followed_by=FOLLOWED, status="timed_out"), id="timed out"),
    ],
)
def test_an_unreported_failure_is_reported_once(settings, execution):
    """As finalize does it: column, event and broadcast; and not again by a later process."""
    begin(settings)
    for _ in range(2):
        assert not look(settings, RUN, execution())
    tell(settings, "error")  # the failure workflow runs after all
    row = row_of(settings)
    assert row.status == "error"
    assert [e["event"] for e in row.events] == ["DURATION", "STATUS"]
    assert told(settings) == [("ts:t", "error"), ("user:u", "error")]


def test_what_a_failures_own_workflow_left_undone_stays_to_be_seen(settings):
    """It completed and set nothing: a fault that the comparison has to show."""
    begin(settings)
    done = {"workflowId": FOLLOWED, "status": "COMPLETED", "tasks": []}
    with answering(lambda *_: (200, done)) as url:
        assert look(at(settings, url), RUN, failed(1, followed_by=FOLLOWED))
        assert not look(at(settings, url), RUN, failed(16, followed_by=FOLLOWED))
    assert (row_of(settings).status, told(settings)) == ("processing", [])


def test_what_had_ended_its_transcript_is_not_its_failure(settings):
    """Its row may say anything by then."""
    begin(settings)
    done = (StepRun(name="finalize", status="completed"),)
    assert not look(settings, RUN, failed(99, steps=done))
    assert row_of(settings).status == "processing"


def test_what_is_being_taken_up_again_is_left_alone(settings, monkeypatch):
    """The mark comes first, then the server is asked; a minute later it surely was not."""
    begin(settings)
    again(settings)
    assert look(settings, RUN, failed(99))
    assert row_of(settings).status == "processing"
    monkeypatch.setattr("reflector_migrate.shadow.observe.failure.FOR_ANOTHER", timedelta(0))
    assert not look(settings, RUN, failed(99))
    assert row_of(settings).status == "error"


def test_taken_up_between_look_and_write_it_is_left_alone(settings):
    """The process that takes it up marks it before it reopens the row: the mark is read last."""
    begin(settings)
    seen = failure_view(Harness.of(settings), RUN, failed(99))
    again(settings)
    assert outlook(seen, now()) is Outlook.OURS
    say_error(Harness.of(settings), RUN, seen.again_at)
    assert (row_of(settings).status, told(settings)) == ("processing", [])


def test_a_row_that_a_later_run_has_is_left_alone(settings):
    """The transcript was processed again: the row is the newer run's."""
    begin(settings)
    later = {
        "run_id": "r2",
        "claim": "c2",
        "primary_task_id": "t2",
        "created_at": now() + timedelta(seconds=1),
    }
    Runs(settings.store_url).claim(replace(RUN, **later))
    assert not look(settings, RUN, failed(99))
    assert row_of(settings).status == "processing"


def test_the_server_says_whether_another_workflow_follows():
    """Where it put the other's id."""
    given = {"workflowId": "w", "status": "FAILED", "tasks": []}
    output = {"conductor.failure_workflow": FOLLOWED}
    assert execution_of({**given, "output": output}).failure_workflow == FOLLOWED
    assert execution_of(given).failure_workflow is None


def again(settings):
    """A manual retry says so before it asks the server."""
    EventLog(settings.store_url).record("r", "progress:again:1", "c", {"event": "", "data": {}})

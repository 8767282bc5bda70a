"""Runs that a store of an earlier schema holds: each state goes on, and each way back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from reflector_migrate.model.run_life import ENDS, RunState
from reflector_migrate.store.base import reading, unhurried, writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.migrate import _config, current, head, upgrade
from reflector_migrate.store.runs import RunRecord, Runs, claim_of, run_id_of

pytestmark = pytest.mark.heavy

OLD = {
    "claimed": RunState.CLAIMED,
    "snapshotted": RunState.CLAIMED,
    "started": RunState.STARTED,
    "compared": RunState.COMPARED,
    "failed": RunState.FAILED,
    "skipped": RunState.SKIPPED,
}
"""The states of schema 0004, and what each run is afterwards."""

BACK = {
    RunState.CLAIMED: "claimed",
    RunState.SNAPSHOTTING: "claimed",
    RunState.WAITING: "claimed",
    RunState.STARTING: "failed",
    RunState.STARTED: "started",
    RunState.SETTLING: "started",
    RunState.OBSERVED: "started",
    RunState.COMPARED: "compared",
    RunState.SKIPPED: "skipped",
    RunState.FAILED: "failed",
    RunState.SUPERSEDED: "failed",
}
"""What schema 0004 makes of each of today's states: it knows no others than its own."""


def _to(url: str, revision: str) -> None:
    with writing(url) as connection, unhurried(connection):
        going = command.downgrade if revision < (current(url) or "") else command.upgrade
        going(_config(connection), revision)


def _insert_old(url: str, number: int, state: str, workflow: str | None) -> None:
    at = now() - timedelta(hours=9 - number)
    row: dict[str, Any] = {
        "run_id": f"run-{number}", "claim": f"t-{number}:task:b1", "recording_id": "rec",
        "transcript_id": f"t-{number}", "namespace": "shadow", "build": "b1", "state": state,
        "reason": None, "workflow_id": workflow, "primary_task_id": "task",
        "request": json.dumps({"root_id": "r"}), "created_at": at.isoformat(sep=" "),
        "updated_at": at.isoformat(sep=" "),
    }  # fmt: skip
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    with writing(url) as connection:
        connection.execute(text(f"INSERT INTO runs ({names}) VALUES ({values})"), row)


def _states(url: str) -> dict[str, str]:
    with reading(url) as connection:
        return dict(connection.execute(text("SELECT run_id, state FROM runs")).all())


@pytest.mark.parametrize("state", sorted(OLD))
def test_a_run_of_schema_0004_goes_on(any_store: str, state: str) -> None:
    """In a state of today's, under a claim without a build, and it can be worked on or opened."""
    _to(any_store, "0004")
    workflow = "wf" if state in ("started", "compared", "failed") else None
    _insert_old(any_store, 1, state, workflow)
    assert upgrade(any_store) == head()
    runs = Runs(any_store)
    run = runs.by_id("run-1")
    assert run is not None
    assert (run.state, run.claim, run.version) == (OLD[state], "t-1:task", 0)
    assert (run.started_at is not None) is (workflow is not None)
    assert (run.erase_at, run.erased_at) == (None, None)
    if run.state in ENDS:
        assert runs.take("run-1", None, 60) is None
        assert run in runs.not_erased()
    else:
        assert runs.take("run-1", None, 60) is not None


def test_of_two_builds_runs_the_older_keeps_the_claim(any_store: str) -> None:
    """Both are kept; an announcement of that task is a duplicate from then on."""
    _to(any_store, "0004")
    for number, build in ((1, "b1"), (2, "b2")):
        _insert_old(any_store, number, "compared", "wf")
        with writing(any_store) as connection:
            connection.execute(
                text(
                    "UPDATE runs SET transcript_id = 't', build = :b, claim = :c WHERE run_id = :r"
                ),
                {"b": build, "c": f"t:task:{build}", "r": f"run-{number}"},
            )
    upgrade(any_store)
    runs = Runs(any_store)
    assert {run.claim for run in runs.not_erased()} == {"t:task", "t:task:b2"}
    name = claim_of("t", "task")
    again = RunRecord(run_id_of(name), name, "rec", "t", "shadow", primary_task_id="task")
    assert not runs.claim(again)


@pytest.mark.parametrize("state", sorted(RunState))
def test_every_state_has_a_way_back_to_schema_0004(any_store: str, state: RunState) -> None:
    """Into a state that the earlier build knows: a run it cannot go on with has failed there."""
    run = RunRecord("run-1", "c", "rec", "t", "shadow", state=state)
    assert Runs(any_store).claim(run)
    _to(any_store, "0004")
    assert current(any_store) == "0004"
    assert _states(any_store) == {"run-1": BACK[state]}
    assert BACK[state] in OLD
    assert upgrade(any_store) == head()

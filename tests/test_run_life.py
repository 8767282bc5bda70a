"""The table of a run's states: complete, without a trap, printed in the docs, and obeyed."""

from __future__ import annotations

import ast
import re
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reflector_migrate.conductor.workflows.load import PIPELINE, workflow_definition
from reflector_migrate.model.run_life import (
    ENDS,
    LIFE,
    LIFE_OF,
    OPEN,
    RunState,
    is_step_of_life,
    table,
)
from reflector_migrate.settings import Settings, ShadowSettings
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import Outcome, RunRecord, Runs, claim_of, run_id_of
from tests.new_stores import new_store
from tests.run_states import brought

ROOT = Path(__file__).parents[1]


def _run(task: str | None = "task", name: str = "t", **values: object) -> RunRecord:
    claim = claim_of(name, task)
    made = RunRecord(run_id_of(claim), claim, "rec", name, "shadow", primary_task_id=task)
    return replace(made, **values)


def _claimed(store: str, state: str = "claimed", **of: object) -> RunRecord:
    run = _run(**of)
    assert Runs(store).claim(run)
    return run if state == "claimed" else brought(Runs(store), run.run_id, state)


def test_every_state_has_one_row() -> None:
    """Of each state the table says all there is."""
    assert [row.state for row in LIFE] == list(RunState)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_no_open_state_is_without_an_exit(state: RunState) -> None:
    """A setting bounds it, a column counts it, and the state after it leads to an end."""
    row = LIFE_OF[state]
    assert row.then in row.to
    assert row.bound in ShadowSettings.model_fields
    assert row.clock in RunRecord.__slots__
    reached, ahead = set(), [state]
    while ahead:
        reached.add(here := ahead.pop())
        then = LIFE_OF[here].then
        ahead += [then] if then and then not in reached else []
    assert reached & ENDS


def test_the_docs_print_the_table() -> None:
    """docs/architecture.md has it word for word."""
    assert table() in (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_the_harness_waits_longer_than_the_workflow_itself() -> None:
    """So that a timeout of the engine's is read and judged, with a margin."""
    longest = workflow_definition(PIPELINE, Settings())["timeoutSeconds"]
    assert ShadowSettings().timeout_s >= longest + 600


def test_only_the_register_changes_runs() -> None:
    """No other module updates the table, and each update there names the state it was read in."""
    for path in (ROOT / "reflector_migrate").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call):
                continue
            text = ast.unparse(node)
            if text in ("update(runs)", "runs.update()", "runs.delete()", "delete(runs)"):
                assert path.match("store/runs.py"), f"{path} writes runs"
    register = (ROOT / "reflector_migrate/store/runs.py").read_text(encoding="utf-8")
    conditions = re.findall(r"as_read = (\(.*?\))\n(?!    \))", register, flags=re.S)
    assert len(conditions) == register.count("update(runs)") > 0
    assert all("runs.c.state == " in one for one in conditions)


@pytest.mark.parametrize("state", sorted(RunState))
def test_a_change_outside_the_table_is_refused(tmp_path: Path, state: RunState) -> None:
    """For any caller: `failed` never overwrites `compared`, `started` never `waiting`."""
    store = f"sqlite:///{tmp_path}/s.db"
    new_store(store)
    run = _claimed(store, state)
    for other in RunState:
        if not is_step_of_life(state, other):
            with pytest.raises(ValueError, match="cannot go from"):
                Runs(store).move(run, other)
    assert Runs(store).by_id(run.run_id) == run


def test_what_was_moved_meanwhile_is_not_moved(any_store: str) -> None:
    """A change is of the run as it was read, or of nothing; so is its line in the register."""
    runs = Runs(any_store)
    read = _claimed(any_store, "starting")
    assert runs.move(read, "started", workflow_id="w")
    assert runs.move(read, "failed", outcome=Outcome("failed", "late")) is None
    assert runs.by_id(read.run_id).state == "started"


def test_one_of_many_takes_a_run(any_store: str) -> None:
    """Workers that take it at once: one has the lease, the others nothing, until it is over."""
    run, taken = _claimed(any_store), []
    threads = [
        threading.Thread(target=lambda: taken.append(Runs(any_store).take(run.run_id, None, 60)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (mine,) = [one for one in taken if one]
    assert mine.tries == 1
    assert Runs(any_store).take(run.run_id, mine.owner, 60) is None
    later = Runs(any_store, lambda: now() + timedelta(minutes=2))
    assert later.take(run.run_id, None, 60).owner != mine.owner


def test_one_ticket_is_good_at_a_time(any_store: str) -> None:
    """Handing a run on makes every earlier message about it stale."""
    runs, run = Runs(any_store), _claimed(any_store)
    first = runs.move(run, run.state, until=now())
    second = runs.move(first, run.state, until=now())
    assert runs.take(run.run_id, first.owner, 60) is None
    assert runs.take(run.run_id, second.owner, 60) is not None


def test_places_are_never_given_twice(any_store: str) -> None:
    """Many place-givers at once start as many runs as there are places, the oldest first."""
    waiting = [_claimed(any_store, "waiting", task=f"task-{n}", name=f"t{n}") for n in range(6)]
    given: list[RunRecord] = []
    threads = [
        threading.Thread(
            target=lambda: given.extend(Runs(any_store).give_places(2, lambda _run: None))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {run.run_id for run in given} == {run.run_id for run in waiting[:2]}
    assert Runs(any_store).count_in_flight() == 2


def test_a_run_that_is_no_longer_shadowed_is_skipped_for_good(any_store: str) -> None:
    """Its place goes to the next; the kill switch leaves no run open."""
    first, second = (_claimed(any_store, "waiting", task=n, name=n) for n in ("one", "two"))
    runs = Runs(any_store)
    changed = runs.give_places(1, lambda run: "kill switch" if run.claim == first.claim else None)
    assert [run.state for run in changed] == ["skipped", "starting"]
    assert runs.by_id(first.run_id).reason == "kill switch"
    assert runs.by_id(second.run_id).state == "starting"
    assert runs.take(first.run_id, None, 60) is None


def test_a_replay_and_the_message_it_stood_for_are_one_run(any_store: str) -> None:
    """From either side; the task's id is known from then on, and a later task is another run."""
    runs, at = Runs(any_store), now()
    replayed = _run(None)
    assert runs.claim(replayed)
    said = {"published_at": (at - timedelta(minutes=9)).isoformat(), "root_id": "root"}
    assert not runs.claim(_run("task", request=said))
    known = runs.by_id(replayed.run_id)
    assert (known.primary_task_id, known.request["root_id"]) == ("task", "root")
    assert not runs.claim(_run("task", request=said))
    assert not runs.claim(_run(None))
    later = {"published_at": (now() + timedelta(minutes=9)).isoformat()}
    assert runs.claim(_run("another", request=later))

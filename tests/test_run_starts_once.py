"""A process that stands still for longer than its lease starts no second workflow that stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.start import STRAY, find_workflow, stop_others
from reflector_migrate.harness import Harness
from reflector_migrate.model.run_life import RunState
from reflector_migrate.settings import Settings
from reflector_migrate.store.base import engine_for
from tests.a_run import RAW, RUN
from tests.answering import answering, at
from tests.life_world import Died, World
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy

CALLS = range(13, 27)
"""Outside calls since the announcement: from the place in flight on until the run is `started`."""

PAUSE_S = 400
"""Longer than a lease and than any message waits for its sweep."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store."""
    path = tmp_path_factory.mktemp("store") / "template.db"
    new_store(f"sqlite:///{path}")
    engine_for(f"sqlite:///{path}").dispose()  # which leaves all of it in the one file
    return path


def _stand_still(world: World) -> None:
    """Others take the run over meanwhile, and bring it as far as it goes."""
    world.pass_time(PAUSE_S)
    world.sweep()
    for _ in range(len(world.messages)):
        world.deliver(0, keeps=False)


def _die() -> None:
    raise Died


@pytest.mark.parametrize("dies_after", [None, 1, 2], ids=lambda after: f"dies after {after}")
@pytest.mark.parametrize("call", CALLS)
def test_one_workflow_is_left(
    tmp_path: Path, template: Path, call: int, dies_after: int | None
) -> None:
    """Wherever it stands still, and wherever it dies after that."""
    world = World(tmp_path, template)
    with world.installed():

        def pause() -> None:
            _stand_still(world)
            if dies_after is not None:
                world.plan[world.calls + dies_after] = _die

        world.plan[call] = pause
        world.announce("task-1")
        while world.messages and not world.workflows:
            world.deliver(0, keeps=False)
        (run,) = world.runs()
        if dies_after is None and run.state == RunState.STARTED:
            assert world.running(run.run_id) == [run.workflow_id]
        world.come_to_rest()
        (run,) = world.runs()
        assert run.state == RunState.COMPARED
        assert world.running(run.run_id) == [run.workflow_id]


def test_the_pause_is_met_where_it_matters(tmp_path: Path, template: Path) -> None:
    """Between the last look at the register and the server: then there were two for a while."""
    seen = []
    for call in CALLS:
        folder = tmp_path / str(call)
        folder.mkdir()
        world = World(folder, template)
        with world.installed():
            world.plan[call] = lambda world=world: _stand_still(world)
            world.announce("task-1")
            while world.messages and not world.workflows:
                world.deliver(0, keeps=False)
            seen += [len(found) for found in world.workflows.values()]
    assert max(seen) == 2


def test_only_the_runs_other_running_workflows_are_stopped() -> None:
    """Not its own, not an ended one, not another run's; and a stopped one is not found again."""
    given = {"input": RAW, "createTime": 1}
    found = {
        "own": {**given, "status": "RUNNING"},
        "stray": {**given, "status": "RUNNING", "createTime": 9},
        "ended": {**given, "status": "COMPLETED"},
        "other": {"input": {"run": {"run_id": "run-2"}}, "status": "RUNNING"},
    }

    def server(method: str, path: str, *_more: object) -> tuple[int, object]:
        if method == "DELETE":
            found[path.rsplit("/", 1)[-1]] |= {
                "status": "TERMINATED", "reasonForIncompletion": STRAY,
            }  # fmt: skip
        listed = [{"workflowId": name, **one} for name, one in found.items()]
        return 200, listed if "/correlated/" in path else []

    with answering(server) as url:
        settings = at(Settings(), url)
        assert stop_others(Harness.of(settings), RUN, "own") == ("stray",)
        assert stop_others(Harness.of(settings), RUN, "own") == ()
        del found["own"], found["ended"]
        with connected(settings) as client:
            assert find_workflow(client, RUN) is None

"""`migrate replay --failed` and `migrate rerun`, from the settings file to the broker it names."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result

from reflector_migrate.cli.main import cli
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.shadow.messages import ADVANCE
from reflector_migrate.store.base import url_of_run
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord, Runs
from tests.answering import answering
from tests.new_stores import new_store

DATABASE = 11
ENDED = {
    "workflowId": "w", "status": "COMPLETED", "tasks": [
        {"taskDefName": "finalize", "referenceTaskName": "finalize", "taskId": "f", "seq": 1,
         "status": "COMPLETED", "scheduledTime": 1, "startTime": 1, "endTime": 2},
    ],
}  # fmt: skip


class World:
    """A settings file that names a broker of its own, and what stands behind it."""

    def __init__(self, folder: Path, broker: str, conductor: str = "http://127.0.0.1:9/api"):
        self.store, self.rows = f"sqlite:///{folder}/s.db", f"sqlite:///{folder}/c.db"
        self.config = folder / "other.toml"
        self.config.write_text(
            f'[store]\nurl = "{self.store}"\n[reflector]\nbroker_url = "{broker}/{DATABASE}"\n'
            f'[conductor]\nserver_url = "{conductor}"\n'
            f'[candidate]\ndatabase_url = "{self.rows}"\nbus_url = "{broker}/12"\n'
        )
        new_store(self.store)
        self.runs = Runs(self.store)
        self.broker = redis.Redis.from_url(f"{broker}/{DATABASE}")
        self.broker.flushdb()

    def claim(self, name: str, **values: Any) -> None:
        """A run of that name, claimed just now."""
        run = RunRecord(f"run-{name}", name, f"rec-{name}", name, "shadow", **values)
        assert self.runs.claim(run)

    def migrate(self, *words: str) -> Result:
        """The command, with the file by --config."""
        return CliRunner().invoke(cli, ["--config", str(self.config), *words])

    def sent(self) -> list[tuple[str, list[Any]]]:
        """(queue, arguments) of the runs' messages on the broker."""
        found = []
        for queue in ("shadow", "collect"):
            for raw in self.broker.lrange(queue, 0, -1):
                message = json.loads(raw)
                assert message["headers"]["task"] == ADVANCE
                found.append((queue, json.loads(base64.b64decode(message["body"]))[0]))
        return found


@pytest.fixture
def failed(tmp_path: Path, redis_server: str) -> World:
    """One failed run of each kind."""
    world = World(tmp_path, redis_server)
    world.claim("dispatch", state="failed", is_reopenable=True)
    world.claim("place", state="failed", is_reopenable=True, waiting_since=now())
    world.claim("evidence", state="failed", is_reopenable=True, workflow_id="w")
    world.claim("gone", state="failed")
    world.claim("erased", state="failed", is_reopenable=True, workflow_id="w", erase_at=now())
    return world


def _states(world: World) -> dict[str, str]:
    names = ("dispatch", "place", "evidence", "gone", "erased")
    return {name: world.runs.by_id(f"run-{name}").state for name in names}


def test_a_dry_run_says_which_and_changes_nothing(failed: World) -> None:
    """Those whose inputs are gone, or that were erased, are not among them."""
    before = _states(failed)
    done = failed.migrate("replay", "--failed", "--dry-run")
    assert done.exit_code == 0
    assert done.stdout.split() == ["rec-dispatch", "rec-place", "rec-evidence"]
    assert "3 would be opened again" in done.stderr
    assert (_states(failed), failed.sent()) == (before, [])


def test_without_a_yes_nothing_is_opened(failed: World) -> None:
    """No person can be asked here."""
    before = _states(failed)
    assert failed.migrate("replay", "--failed").exit_code == 2
    assert (_states(failed), failed.sent()) == (before, [])


def test_each_goes_on_from_what_is_left_of_it(failed: World) -> None:
    """Its announcement, its copied inputs or its observations; a message bears its ticket."""
    done = failed.migrate("replay", "--failed", "--yes", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["recordings"] == ["rec-dispatch", "rec-place", "rec-evidence"]
    assert _states(failed) == {
        "dispatch": "claimed", "place": "waiting", "evidence": "settling", "gone": "failed",
        "erased": "failed",
    }  # fmt: skip
    tickets = {name: failed.runs.by_id(f"run-{name}").owner for name in _states(failed)}
    assert failed.sent() == [
        ("shadow", ["run-dispatch", tickets["dispatch"]]),
        ("collect", ["run-evidence", tickets["evidence"]]),
        ("collect", ["run-place", tickets["place"]]),
    ]
    assert failed.migrate("replay", "--failed", "--yes", "--json").exit_code == 0
    assert len(failed.sent()) == 3


def test_those_that_failed_earlier_are_left_alone(failed: World) -> None:
    """`--since` bounds how far it looks back."""
    done = failed.migrate("replay", "--failed", "--yes", "--since", "0s")
    assert (done.exit_code, done.stdout, failed.sent()) == (0, "", [])


@pytest.mark.parametrize("named_by", ["--config", "MIGRATE_CONFIG"])
def test_a_rerun_is_collected_on_the_broker_that_its_settings_name(
    tmp_path: Path, redis_server: str, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    """Whatever the default is: the workflow runs again, and one message says so, there."""
    asked = []
    monkeypatch.setattr(
        "reflector_migrate.conductor.rerunning.rerun",
        lambda ours, old, step: (
            asked.append((ours.settings.reflector.broker_url, old, step)) or old
        ),
    )
    with answering(lambda *_: (200, ENDED)) as url:
        world = World(tmp_path, redis_server, url)
        create_all(own := url_of_run(world.rows, "run-t"))
        Rows.at(own).insert_transcript(id="t", recording_id="rec-t", status="ended", events=[])
        world.claim("t", state="compared", workflow_id="w")
        if named_by == "MIGRATE_CONFIG":
            monkeypatch.setenv("MIGRATE_CONFIG", str(world.config))
            done = CliRunner().invoke(cli, ["rerun", "rec-t", "--from", "finalize"])
        else:
            done = world.migrate("rerun", "rec-t", "--from", "finalize")
    assert done.exit_code == 0, done.output
    assert "workflow w runs from finalize" in done.stdout
    assert asked == [(f"{redis_server}/{DATABASE}", "w", "finalize")]
    run = world.runs.by_id("run-t")
    assert run.state == "started"
    assert world.sent() == [("collect", ["run-t", run.owner])]

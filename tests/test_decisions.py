"""Every entry of the audit log says who, when, what, on which evidence and by which rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.cutover.drills import Drilled, record_drill
from reflector_migrate.cutover.people import sign
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.decisions import UNREADABLE, record, this_user
from reflector_migrate.shadow.nightly.gating import note_rules
from reflector_migrate.store.canonical_json import sha256_of
from tests.gates_world import RULES
from tests.new_stores import new_store

PRODUCT = Path(__file__).parents[1] / "reflector_migrate"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An empty store and a kill switch of this test's own, named by the environment too."""
    url, switch = f"sqlite:///{tmp_path}/s.db", tmp_path / "kill"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIGRATE_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("MIGRATE_STORE__URL", url)
    monkeypatch.setenv("MIGRATE_SHADOW__KILL_SWITCH_FILE", str(switch))
    new_store(url)
    return Settings.model_validate({"state_dir": tmp_path, "store": {"url": url}})


def test_no_entry_is_added_elsewhere() -> None:
    """Only one function of the product adds to the log: the one that asks for all of it."""
    rooms = {
        str(file.relative_to(PRODUCT))
        for file in PRODUCT.rglob("*.py")
        if re.search(r"\baudit\.append\(", file.read_text("utf-8"))
    }
    assert rooms == {"shadow/decisions.py"}


def test_the_kill_switch_says_who_turned_it_and_how_it_stood(settings: Settings) -> None:
    """A name where one is given, else the user of the process; on and off alike."""
    for words in (["off", "--who", "ana"], ["off"], ["on", "--yes", "--who", "ben"]):
        assert CliRunner().invoke(cli, ["shadow", *words]).exit_code == 0
    entries = Harness.of(settings).audit.all("kill-switch")
    assert [entry["body"]["who"] for entry in entries] == ["ana", this_user(), "ben"]
    assert [entry["body"]["was_off"] for entry in entries] == [False, True, True]
    for entry in entries:
        seen = {"was_off": entry["body"]["was_off"], "in_flight": 0}
        assert entry["body"]["evidence"] == sha256_of(seen)
        assert entry["body"]["rules"] == RULES.digest


@pytest.mark.parametrize(
    "command",
    [
        ("shadow", "off"),
        ("checklist", "enter", "parallel", "--reason", "r", "--yes"),
        ("checklist", "sign", "margins", "--reason", "r", "--yes"),
        ("route", "back", "--why", "w"),
    ],
    ids=["kill switch", "phase", "signature", "routes"],
)
def test_a_blank_name_is_none(settings: Settings, command: tuple[str, ...]) -> None:
    """Nothing is done and nothing is recorded in the name of blanks."""
    done = CliRunner().invoke(cli, [*command, "--who", "  "])
    assert done.exit_code == 2
    assert "a name is needed" in done.stderr
    assert Harness.of(settings).audit.all() == ()
    assert not (settings.state_dir / "kill").exists()


def test_drills_signatures_and_noted_rules_have_all_of_it(settings: Settings) -> None:
    """Who, the digest of what was seen, and that of the rules in force."""
    harness = Harness.of(settings)
    record_drill(harness, Drilled("rollback", True, "seen", "", 0.1), "ana")
    sign(harness, "margins", "ben", "agreed")
    note_rules(harness, "build")
    record(harness, "notice", {"topic": "night"}, who="notices", evidence="text")
    found = harness.audit.all()
    assert [entry["body"]["who"] for entry in found] == ["ana", "ben", "collector", "notices"]
    assert {entry["body"]["rules"] for entry in found} == {RULES.digest}
    assert len({entry["body"]["evidence"] for entry in found}) == len(found)
    assert all(re.fullmatch("[0-9a-f]{64}", entry["body"]["evidence"]) for entry in found)
    assert harness.audit.fault() == ""


def test_a_switch_does_not_wait_for_rules_that_cannot_be_read(settings: Settings) -> None:
    """Its entry says so in their digest's place."""
    judge = settings.judge.model_copy(update={"gates_file": settings.state_dir / "none.toml"})
    harness = Harness.of(settings.model_copy(update={"judge": judge}))
    record(harness, "kill-switch", {"is_off": True}, who="ana", evidence={})
    assert harness.audit.last("kill-switch")["body"]["rules"] == UNREADABLE

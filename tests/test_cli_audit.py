"""`migrate audit`: the log of decisions can be checked against what was exported, and exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.cutover.items import State
from reflector_migrate.cutover.trail import audit_log_is_intact
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly.night import write_report
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.base import writing
from reflector_migrate.store.tables import audit
from tests.new_stores import new_store


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A store of this test's own with three entries, named by the environment."""
    primary, url = f"sqlite:///{tmp_path}/reflector.db", f"sqlite:///{tmp_path}/store.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIGRATE_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("MIGRATE_STORE__URL", url)
    made = Settings.model_validate(
        {"state_dir": tmp_path, "store": {"url": url}, "reflector": {"database_url": primary}}
    )
    new_store(url)
    create_all(primary)
    for who in ("ana", "ben", "cleo"):
        Audit(url).append("sign:margins", {"who": who})
    return made


def test_a_whole_log_is_intact(settings: Settings) -> None:
    """Exit 0, with the head to note."""
    done = CliRunner().invoke(cli, ["audit", "verify"])
    assert (done.exit_code, "3 entries" in done.stdout) == (0, True)
    assert str(Audit(settings.store_url).head()) in done.stdout


def test_a_cut_off_end_is_found_by_the_nightly_report(settings: Settings) -> None:
    """The night notes the head; entries that vanish afterwards are named, with exit 1."""
    write_report(Harness.of(settings), "2026-11-27")
    with writing(settings.store_url) as connection:
        connection.execute(audit.delete().where(audit.c.seq > 1))
    done = CliRunner().invoke(cli, ["audit", "verify", "--json"])
    document = json.loads(done.stdout)
    assert (done.exit_code, document["schema"], document["ok"]) == (1, "migrate.audit/1", False)
    assert document["fault"] == "the log ends at entry 1; entry 3 was exported and is gone"
    assert document["heads_checked"] == 2


HEADS = {
    "the file is gone": (True, False, 1),
    "the pages are gone": (False, True, 1),
    "both are gone": (True, True, 3),
}


@pytest.mark.parametrize("case", HEADS.values(), ids=HEADS.keys())
def test_a_deleted_file_of_heads_hides_no_cut_off_end(
    settings: Settings, case: tuple[bool, bool, int]
) -> None:
    """Each page has its head too; and where both are gone, the store still knows of them."""
    is_file_gone, are_pages_gone, code = case
    page = write_report(Harness.of(settings), "2026-11-27")
    head = str(Audit(settings.store_url).head())
    assert f'<meta name="audit-head" content="{head}">' in page.read_text("utf-8")
    assert CliRunner().invoke(cli, ["audit", "verify"]).exit_code == 0
    if is_file_gone:
        settings.audit_heads.unlink()
    if are_pages_gone:
        page.unlink()
    with writing(settings.store_url) as connection:
        connection.execute(audit.delete().where(audit.c.seq > 1))
    done = CliRunner().invoke(cli, ["audit", "verify"])
    assert done.exit_code == code
    if code == 3:
        assert "exported heads are gone, of 2026-11-27: a cut-off end would not be" in done.stdout
        answer = audit_log_is_intact(Harness.of(settings))
        assert (answer.state, answer.value) == (State.PENDING, "not all checked")
        assert CliRunner().invoke(cli, ["audit", "verify", "--head", head]).exit_code == 1


def test_a_page_of_an_earlier_version_needs_its_line_in_the_file(settings: Settings) -> None:
    """A page without a head is a night that exported one: the file must have it."""
    page = write_report(Harness.of(settings), "2026-11-27")
    page.write_text("<html></html>")
    assert CliRunner().invoke(cli, ["audit", "verify"]).exit_code == 0
    settings.audit_heads.write_text("")
    done = CliRunner().invoke(cli, ["audit", "verify", "--json"])
    document = json.loads(done.stdout)
    assert (done.exit_code, document["ok"], document["fault"]) == (3, False, "")
    assert "2026-11-27" in document["missing"]


def test_a_head_noted_by_a_person_counts_too(settings: Settings) -> None:
    """A log that was rewritten as a whole does not hold the head that was noted."""
    head = str(Audit(settings.store_url).head())
    other = f"{head[:-1]}{'0' if head[-1] != '0' else '1'}"
    assert CliRunner().invoke(cli, ["audit", "verify", "--head", head]).exit_code == 0
    assert CliRunner().invoke(cli, ["audit", "verify", "--head", other]).exit_code == 1


def test_every_entry_is_exported(settings: Settings, tmp_path: Path) -> None:
    """A line of JSON each, oldest first, with the digests of the chain."""
    done = CliRunner().invoke(cli, ["audit", "export", "-o", str(tmp_path / "audit.jsonl")])
    assert done.exit_code == 0
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["body"]["who"] for line in lines] == ["ana", "ben", "cleo"]
    assert [line["previous"] for line in lines[1:]] == [line["digest"] for line in lines[:-1]]
    assert lines[-1]["digest"] == Audit(settings.store_url).head().digest

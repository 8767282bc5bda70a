"""`migrate shadow`: off works whatever else is broken; on asks; status says which it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reflector_migrate.cli.main import cli, main
from reflector_migrate.store.audit import Audit
from tests.new_stores import new_store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of the store that the configuration names; not there yet."""
    found = f"sqlite:///{tmp_path}/s.db"
    switch = f'[shadow]\nenabled = true\nkill_switch_file = "{tmp_path}/kill"\n'
    (tmp_path / "migrate.toml").write_text(f'{switch}[store]\nurl = "{found}"\n')
    return found


def _shadow(tmp_path: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", f"{tmp_path}/migrate.toml", "shadow", *words])


def test_off_and_on_again(url: str, tmp_path: Path) -> None:
    """The file comes and goes, status says so, and the audit log has both."""
    new_store(url)
    assert _shadow(tmp_path, "off").exit_code == 0
    assert (tmp_path / "kill").is_file()
    assert "shadow is off (kill switch: " in _shadow(tmp_path, "status").stdout
    assert _shadow(tmp_path, "on").exit_code == 2  # nobody can be asked
    assert (tmp_path / "kill").is_file()
    assert "dispatching resumed" in _shadow(tmp_path, "on", "--yes").stdout
    assert not (tmp_path / "kill").exists()
    assert "shadow is on" in _shadow(tmp_path, "status").stdout
    assert [e["body"]["is_off"] for e in Audit(url).all("kill-switch")] == [True, False]


def test_off_needs_no_store(url: str, tmp_path: Path) -> None:
    """What stops things must not depend on what may be down."""
    del url
    done = _shadow(tmp_path, "off")
    assert (done.exit_code, (tmp_path / "kill").is_file()) == (0, True)
    assert "not in the audit log" in done.stderr


def test_without_a_file_named_it_says_what_else_stops_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A usage error with the way out."""
    (tmp_path / "migrate.toml").write_text("[shadow]\nenabled = true\n")
    with pytest.raises(SystemExit) as ended:
        main(["--config", f"{tmp_path}/migrate.toml", "shadow", "off"])
    assert ended.value.code == 2
    assert "MIGRATE_SHADOW=false" in capsys.readouterr().err

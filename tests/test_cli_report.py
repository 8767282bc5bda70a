"""`migrate report --unredacted`: words go only where a person asked for them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.pipeline.rows import create_all
from tests.new_stores import new_store

NIGHT = "2026-11-27"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, named by the environment, and the state folder that holds the reports."""
    primary, url = f"sqlite:///{tmp_path}/reflector.db", f"sqlite:///{tmp_path}/store.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIGRATE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MIGRATE_STORE__URL", url)
    monkeypatch.setenv("MIGRATE_REFLECTOR__DATABASE_URL", primary)
    new_store(url)
    create_all(primary)
    return tmp_path


def _report(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["report", "--night", NIGHT, *arguments])
    return done.exit_code, done.output


def test_words_need_an_output_of_their_own(folder: Path) -> None:
    """Without -o it is a usage error, and the served page is not touched."""
    code, said = _report("--unredacted")
    assert (code, "-o html:PATH" in said) == (2, True)
    assert not (folder / "state/reports").exists()


@pytest.mark.parametrize("path", ["state/reports/x.html", "state/reports/../reports/y.html"])
def test_words_never_go_into_the_served_folder(folder: Path, path: str) -> None:
    """Neither by its plain path nor by a roundabout one."""
    (folder / "state/reports").mkdir(parents=True)
    code, said = _report("--unredacted", "-o", f"html:{folder / path}")
    assert (code, "migrate serve" in said) == (2, True)
    assert not (folder / path).exists()


def test_a_page_with_words_is_private(folder: Path) -> None:
    """Only its owner may read it; a redacted page is an ordinary file."""
    for name, flags in (("open.html", ["--unredacted"]), ("plain.html", [])):
        assert _report(*flags, "-o", f"html:{folder / name}")[0] == 3, "nothing was compared"
    assert stat.S_IMODE((folder / "open.html").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "plain.html").stat().st_mode) & 0o044

"""Settings: one frozen object, sources in a fixed order, no silent typos, secrets apart."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from reflector_migrate.errors import ConfigurationError
from reflector_migrate.harness import LiveHarness
from reflector_migrate.settings import RouteSettings, Settings, load_settings, origins

ROOT = Path(__file__).parents[1]


def _file(folder: Path, text: str) -> Path:
    path = folder / "migrate.toml"
    path.write_text(text)
    return path


def test_shadow_is_off_by_default() -> None:
    """No recording is shadowed by accident."""
    assert Settings().shadow.enabled is False


@pytest.mark.parametrize(
    ("word", "is_on"), [("true", True), ("1", True), ("on", True), ("false", False), ("0", False)]
)
def test_the_flag_by_environment(word: str, is_on: bool) -> None:
    """MIGRATE_SHADOW is the one word an operator needs."""
    assert load_settings(environ={"MIGRATE_SHADOW": word}).shadow.enabled is is_on


def test_environment_wins_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    """flag > MIGRATE_* > file > default."""
    path = _file(tmp_path, "[shadow]\nrate = 0.1\nmax_in_flight = 2\n")
    environ = {"MIGRATE_SHADOW__RATE": "0.2"}
    loaded = load_settings(path, environ=environ)
    assert (loaded.shadow.rate, loaded.shadow.max_in_flight) == (0.2, 2)
    flagged = load_settings(path, environ=environ, overrides={"shadow": {"rate": 0.3}})
    assert flagged.shadow.rate == 0.3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[shadow]\nenbled = true", "shadow.enbled", id="unknown key"),
        pytest.param("[shadows]\nenabled = true", "shadows", id="unknown section"),
        pytest.param("[shadow]\nrate = 7", "shadow.rate", id="out of range"),
        pytest.param("[shadow\n", "migrate.toml", id="not TOML"),
        pytest.param('[s3]\naccess_key_id_file = "/no/such"', "/no/such", id="no secret file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    """The key or the file is in the message, and the exit code is 2."""
    with pytest.raises(ConfigurationError) as wrong:
        load_settings(_file(tmp_path, text), environ={})
    assert says in wrong.value.message
    assert wrong.value.exit_code == 2


@pytest.mark.parametrize(
    ("half", "line"),
    [('[shadow]\nenabled = tr', 2), ('[shadow]\nrate = 0.5\n[stor', 3),
     ('[store]\nurl = "sqlite:', 2)],
    ids=["a word", "a table", "a string"],
)  # fmt: skip
def test_a_half_written_file_is_named_with_its_line(tmp_path: Path, half: str, line: int) -> None:
    """An editor that writes in place: a reader then learns where it ends."""
    path = _file(tmp_path, half)
    with pytest.raises(ConfigurationError) as wrong:
        load_settings(path, environ={})
    assert str(path) in wrong.value.message
    assert f"line {line}" in wrong.value.message
    assert "sqlite:" not in wrong.value.message


@pytest.mark.parametrize("named_by", ["file", "environment"])
def test_a_rotated_secret_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    """A running process takes the new one up, although migrate.toml stays as it is."""
    secret = tmp_path / "key"
    secret.write_text("old\n")
    named = f'[s3]\naccess_key_id_file = "{secret}"\n' if named_by == "file" else ""
    monkeypatch.setenv("MIGRATE_CONFIG", str(_file(tmp_path, named)))
    if named_by == "environment":
        monkeypatch.setenv("MIGRATE_S3__ACCESS_KEY_ID_FILE", str(secret))
    live = LiveHarness()
    assert live.current().settings.s3.access_key_id.get_secret_value() == "old"
    assert live.current() is live.current()
    secret.write_text("newer\n")
    assert live.current().settings.s3.access_key_id.get_secret_value() == "newer"


def test_a_file_that_is_being_written_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The last good settings stay in force, and the log says which line is wrong."""
    path = _file(tmp_path, "[shadow]\nrate = 0.5\n")
    monkeypatch.setenv("MIGRATE_CONFIG", str(path))
    live = LiveHarness()
    assert live.current().settings.shadow.rate == 0.5
    path.write_text("[shadow]\nrate = 0.25\n[sto")
    assert live.current().settings.shadow.rate == 0.5
    assert str(path) in caplog.text
    path.write_text("[shadow]\nrate = 0.25\n[store]\n")
    assert live.current().settings.shadow.rate == 0.25


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        pytest.param('[workers]\ndefects = ["tracks_swapped"]', {}, id="by file"),
        pytest.param("", {"MIGRATE_WORKERS__DEFECTS": "tracks_swapped"}, id="by environment"),
    ],
)
def test_a_defect_is_never_on_outside_of_a_sandbox(
    tmp_path: Path, text: str, environ: dict[str, str]
) -> None:
    """No process starts with one: the setting, the defect and the way out are named."""
    path = _file(tmp_path, text)
    with pytest.raises(ConfigurationError, match=r"workers\.defects: tracks_swapped") as wrong:
        load_settings(path, environ=environ)
    assert wrong.value.hint == "migrate defects run"
    loaded = load_settings(path, environ={**environ, "MIGRATE_IS_SANDBOX": "true"})
    assert loaded.workers.defects == ("tracks_swapped",)


def test_secrets_come_from_files_and_never_show(tmp_path: Path) -> None:
    """A *_file key is read, stripped, and masked in every representation."""
    (tmp_path / "key").write_text("tremendously-secret\n")
    path = _file(tmp_path, f'[s3]\nsecret_access_key_file = "{tmp_path}/key"\n')
    loaded = load_settings(path, environ={})
    assert loaded.s3.secret_access_key is not None
    assert loaded.s3.secret_access_key.get_secret_value() == "tremendously-secret"
    assert "tremendously" not in repr(loaded) + str(loaded.model_dump(mode="json"))


def test_the_example_is_valid(tmp_path: Path) -> None:
    """migrate.example.toml loads as it is, once its secret files exist."""
    text = (ROOT / "migrate.example.toml").read_text()
    for name in ("s3_key", "s3_secret", "daily"):
        (tmp_path / name).write_text("x")
    loaded = load_settings(_file(tmp_path, text.replace("/run/secrets", str(tmp_path))), environ={})
    assert loaded.shadow.rate == 0.05
    assert loaded.prices[0].gpu_second == 306


@pytest.mark.parametrize(
    "key", ["shadow.budget_per_day", "candidate.keep_hours", "workers.isolation"]
)
def test_a_setting_that_nothing_reads_is_refused(key: str) -> None:
    """A key without effect is unknown, so that no one relies on it by mistake."""
    section, _, name = key.partition(".")
    with pytest.raises(ConfigurationError, match=f"unknown setting {key}"):
        load_settings(environ={f"MIGRATE_{section.upper()}__{name.upper()}": "1"})


def test_every_setting_is_read_by_the_product() -> None:
    """Each key of each section is an attribute that some module outside settings reads."""
    read: set[str] = set()
    for path in (ROOT / "reflector_migrate").rglob("*.py"):
        if "settings" not in path.relative_to(ROOT).parts or path.name == "whole.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            read |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    unread = [
        f"{name}.{key}"
        for name, section in sections.items()
        for key in getattr(section, "model_fields", {"": None})
        if (key or name) not in read
    ]
    assert unread == []


def test_the_project_file_may_be_a_table_of_pyproject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`[tool.migrate]` counts where no migrate.toml stands, and a variable wins over it."""
    (tmp_path / "pyproject.toml").write_text("[tool.migrate.shadow]\nrate = 0.1\nmax_in_flight = 2")
    monkeypatch.chdir(tmp_path)
    loaded = load_settings(environ={"MIGRATE_SHADOW__RATE": "0.5"})
    assert (loaded.shadow.rate, loaded.shadow.max_in_flight) == (0.5, 2)
    origin = origins(environ={"MIGRATE_SHADOW": "on"})
    assert origin["shadow.enabled"] == "environment MIGRATE_SHADOW"
    assert origin["shadow.max_in_flight"] == "pyproject.toml"
    _file(tmp_path, "[shadow]\nrate = 0.7")
    assert load_settings(environ={}).shadow.max_in_flight == 4


def test_the_plugins_variables_are_not_our_settings() -> None:
    """A host that runs Reflector's worker and ours can give both the same environment."""
    theirs = {
        "MIGRATE_SHADOW": "true",
        "MIGRATE_ROUTING": "true",
        "MIGRATE_ROUTE_BACK_FILE": "/srv/back",
        "MIGRATE_ROUTE_WAIT_S": "2",
    }
    found = load_settings(environ=theirs)
    assert (found.shadow.enabled, found.route) == (True, RouteSettings())

"""Settings: one frozen object, sources in a fixed order, no silent typos, secrets apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from reflector_migrate.errors import ConfigurationError
from reflector_migrate.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]


def _file(folder: Path, text: str) -> Path:
    path = folder / "migrate.toml"
    path.write_text(text)
    return path


def test_shadow_is_off_by_default() -> None:
    """Nobody is shadowed by accident."""
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

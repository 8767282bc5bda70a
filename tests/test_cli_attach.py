"""Attaching: Reflector's environment read, every setting derived, rights made and named."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from reflector_migrate.cli.main import cli
from reflector_migrate.cutover.least_rights import make, s3_policy, sql
from reflector_migrate.cutover.rights import reflector_database
from reflector_migrate.errors import InputError, MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import create_all
from reflector_migrate.settings import Settings, load_settings
from reflector_migrate.settings.reflector_env import derive, read_env_file, read_process
from reflector_migrate.store.base import reading, writing

ENV = """
# Reflector's own file
DATABASE_URL=postgresql+asyncpg://reflector:se%40cret@db.internal:5432/reflector
CELERY_BROKER_URL="redis://redis.internal:6379/1"
REDIS_HOST=redis.internal
TRANSCRIPT_STORAGE_AWS_BUCKET_NAME=reflector-media/folder
TRANSCRIPT_STORAGE_AWS_REGION=eu-central-1
TRANSCRIPT_STORAGE_AWS_ACCESS_KEY_ID=key
TRANSCRIPT_STORAGE_AWS_SECRET_ACCESS_KEY='sec#ret'
DAILYCO_STORAGE_AWS_BUCKET_NAME=daily-tracks
DAILY_API_KEY=daily
TRANSCRIPT_URL=https://gpu.internal
TRANSCRIPT_MODAL_API_KEY=gpu
TRANSCRIPT_FILE_TIMEOUT=900
LLM_URL=https://llm.internal/v1
LLM_API_KEY=llm
LLM_CONTEXT_WINDOW=32000
ZULIP_REALM=zulip.internal
ZULIP_BOT_EMAIL=bot@zulip.internal
"""


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """Reflector's own, as a deployment has it."""
    path = tmp_path / "reflector.env"
    path.write_text(ENV, encoding="utf-8")
    return path


def test_every_setting_follows_from_reflectors_environment(env_file: Path, tmp_path: Path):
    """Both sides' places, services and keys; the result is a valid settings file."""
    derived = derive(read_env_file(env_file), tmp_path, "http://conductor.internal:8080/api")
    settings = Settings.model_validate(derived.settings)
    assert derived.unset == ("UI_BASE_URL (reflector.ui_base_url)",)
    theirs, ours, services = settings.reflector, settings.candidate, settings.services
    where = "@db.internal:5432"
    assert str(theirs.database_url).startswith("postgresql+psycopg://reflector_migrate_reader:")
    assert str(theirs.database_url).endswith(f"{where}/reflector")
    assert settings.store_url.endswith(f"{where}/reflector_migrate")
    assert str(ours.database_url).endswith(f"{where}/reflector_candidate")
    assert "se%40cret" not in str(derived.settings)
    assert theirs.bus_url == "redis://redis.internal:6379/0"
    assert (theirs.tracks_bucket, theirs.media_bucket) == ("daily-tracks", "reflector-media/folder")
    assert (ours.tracks_bucket, ours.media_bucket) == (
        "reflector-media-migrate-tracks", "reflector-media-migrate-media",
    )  # fmt: skip
    assert settings.s3.secret_access_key is not None
    assert settings.s3.secret_access_key.get_secret_value() == "sec#ret"
    assert (services.transcript_timeout_s, services.llm_context_window) == (900, 32000)
    assert services.zulip_url == "https://zulip.internal"
    assert settings.shadow.enabled is False


def test_a_running_workers_environment_is_read_too():
    """The variables of a process; this one's own."""
    found = read_process(os.getpid())
    assert found["PATH"] == os.environ["PATH"]
    assert Path(found["DATA_DIR"]).is_absolute()
    with pytest.raises(InputError, match="process"):
        read_process(2**22 + 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [("DATABASE_URL=mysql://x/y", "only PostgreSQL"), ("LLM_CONTEXT_WINDOW=many", "not a number")],
)
def test_an_environment_that_cannot_be_used_is_refused(tmp_path: Path, line: str, said: str):
    """With the variable's name."""
    path = tmp_path / "env"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        derive(read_env_file(path), tmp_path, "http://c/api")


def test_roles_and_databases_are_made_and_are_enough(postgres_url: str, tmp_path: Path):
    """By Reflector's own login where it may: the reader reads, and can do nothing else."""
    create_all(postgres_url)
    env = {"DATABASE_URL": postgres_url.replace("+psycopg", "+asyncpg")}
    derived = derive(env, tmp_path, "http://c/api")
    settings = Settings.model_validate(derived.settings)
    assert make(settings, derived.owner_url or "") == ()
    assert make(settings, derived.owner_url or "") == ()  # again: nothing is missing
    try:
        assert reflector_database(Harness.of(settings)).state == "pass"
        with (
            pytest.raises(Exception, match="permission denied"),
            writing(settings.reflector.database_url or "") as connection,
        ):
            connection.execute(text("DELETE FROM transcript"))
        for url in (settings.store_url, settings.candidate.database_url or ""):
            with writing(url) as connection:
                connection.execute(text("CREATE SCHEMA run_1"))
    finally:
        _drop(postgres_url)


def _drop(url: str) -> None:
    from sqlalchemy import create_engine

    from reflector_migrate.store.base import engine_for

    with reading(url) as connection:
        roles = connection.scalars(
            text("select rolname from pg_roles where rolname like 'reflector_migrate%'")
        ).all()
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in ("reflector_migrate", "reflector_candidate"):
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        for role in roles:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
    engine.dispose()
    engine_for(url).dispose()


def test_the_printed_rights_name_no_password(env_file: Path, tmp_path: Path):
    """SQL and policy can be shown to those who run the servers."""
    derived = derive(read_env_file(env_file), tmp_path, "http://c/api")
    settings = Settings.model_validate(derived.settings)
    said = "\n".join(sql(settings))
    assert "GRANT SELECT ON transcript" in said
    assert 'CREATE DATABASE "reflector_candidate" OWNER "reflector_migrate"' in said
    assert said.count("CREATE ROLE") == 2
    assert not any(word in said for word in str(derived.settings).split(":") if len(word) > 30)
    policy = s3_policy(settings)
    assert '"arn:aws:s3:::daily-tracks/*"' in policy
    read, write = (policy.index(f"{name}/*") for name in ("daily-tracks", "migrate-tracks"))
    assert read < policy.index("s3:PutObject") < write


def test_the_command_writes_a_file_that_only_its_owner_reads(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It goes on where servers are away, names each with what mends it, and never writes twice."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "attached" / "migrate.toml"
    env_file.write_text(
        ENV.replace("db.internal:5432", "127.0.0.1:1").replace("redis.internal", "127.0.0.1")
        + "AWS_ENDPOINT_URL=http://127.0.0.1:1\nUI_BASE_URL=https://reflector.example\n",
        encoding="utf-8",
    )
    argv = ["attach", "--reflector-env", str(env_file), "--out", str(path), "--yes",
            "--conductor", "http://127.0.0.1:1/api"]  # fmt: skip
    said = CliRunner().invoke(cli, argv, catch_exceptions=False)
    assert said.exit_code == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tomllib.loads(path.read_text("utf-8"))["reflector"]["tracks_bucket"] == "daily-tracks"
    assert load_settings(path).reflector.ui_base_url == "https://reflector.example"
    assert "-I reflector_shadow" in said.output
    assert (path.parent / "reflector-plugin" / "reflector_shadow.py").is_file()
    for name in ("reflector database", "reflector s3", "recogniser", "conductor"):
        assert f"✗ {name}" in said.output
    with pytest.raises(MigrateError, match="is there already"):
        CliRunner().invoke(cli, argv, catch_exceptions=False)

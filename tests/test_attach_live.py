"""docs/attach.md walked beside a deployment of theirs, from its env file to a run that is ready."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
import redis
from celery import Celery
from click.testing import CliRunner
from sqlalchemy import text

from reflector_migrate.cli.main import cli
from reflector_migrate.cutover.infrastructure import plugin_is_loaded
from reflector_migrate.harness import Harness
from reflector_migrate.model.run_life import RunState
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.settings import Settings, load_settings
from reflector_migrate.settings.reflector_env import read_env_file
from reflector_migrate.shadow.advance import advance
from reflector_migrate.shadow.announcement import parse
from reflector_migrate.shadow.dispatcher import claim
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import Runs
from tests.test_cli_attach import _drop
from tests.their_deployment import SCHEMA, make_environment

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

TASK = "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process"
TRACKS, MEDIA = "attached-tracks", "attached-media"
KEY = "room-20261123100000/1763892000000-11111111-2222-3333-4444-555555555555-cam-audio-1763892001"


def _s3(settings: Settings) -> Any:
    key, secret = settings.s3.access_key_id, settings.s3.secret_access_key
    assert key is not None
    assert secret is not None
    return boto3.client(
        "s3", endpoint_url=settings.s3.endpoint_url, region_name="us-east-1",
        aws_access_key_id=key.get_secret_value(), aws_secret_access_key=secret.get_secret_value(),
    )  # fmt: skip


@pytest.fixture
def env_file(
    redis_server: str, s3_server: Settings, standins: Settings, postgres_url: str, tmp_path: Path
) -> Iterator[Path]:
    """Reflector's own env file; its tables, a recording and its track are there."""
    with writing(postgres_url) as connection:
        connection.execute(text("CREATE TYPE sourcekind AS ENUM ('room', 'live', 'file')"))
        connection.exec_driver_sql(SCHEMA.read_text("utf-8"))
    rows = Rows.at(postgres_url)
    rows.insert_recording(id="rec", bucket_name=TRACKS, object_key="room-20261123100000",
                          recorded_at=now(), track_keys=[KEY])  # fmt: skip
    s3 = _s3(s3_server)
    for bucket in (TRACKS, MEDIA):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=TRACKS, Key=KEY, Body=b"sound")
    host, _, port = redis_server.removeprefix("redis://").partition(":")
    key, secret = s3_server.s3.access_key_id, s3_server.s3.secret_access_key
    variables = {
        "DATABASE_URL": postgres_url.replace("+psycopg", "+asyncpg"),
        "CELERY_BROKER_URL": f"{redis_server}/9",
        "CELERY_RESULT_BACKEND": f"{redis_server}/9",
        "REDIS_HOST": host,
        "REDIS_PORT": port,
        "AWS_ENDPOINT_URL": s3_server.s3.endpoint_url,
        "TRANSCRIPT_STORAGE_AWS_BUCKET_NAME": MEDIA,
        "TRANSCRIPT_STORAGE_AWS_REGION": "us-east-1",
        "TRANSCRIPT_STORAGE_AWS_ACCESS_KEY_ID": key.get_secret_value() if key else "",
        "TRANSCRIPT_STORAGE_AWS_SECRET_ACCESS_KEY": secret.get_secret_value() if secret else "",
        "DAILYCO_STORAGE_AWS_BUCKET_NAME": TRACKS,
        "DAILY_API_KEY": "daily",
        "TRANSCRIPT_URL": standins.services.transcript_url,
        "LLM_URL": standins.services.llm_url,
        "LLM_API_KEY": "llm",
        "UI_BASE_URL": "https://reflector.example",
    }
    path = tmp_path / "reflector.env"
    path.write_text("".join(f"{k}={v}\n" for k, v in variables.items()), encoding="utf-8")
    yield path
    _drop(postgres_url)


@contextmanager
def their_worker(celery: Path, environ: dict[str, str], log: Path) -> Iterator[None]:
    """Their worker as before, with the plugin, for the time of the block."""
    argv = [str(celery), "-A", "reflector.worker.app", "worker", "-c", "1", "-l", "info",
            "-I", "reflector_shadow"]  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen(argv, env=environ, cwd=log.parent, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _announcement(url: str) -> dict[str, Any]:
    """The one that waits for a dispatcher, as the plugin put it."""
    client, deadline = redis.Redis.from_url(url), time.monotonic() + 60
    while time.monotonic() < deadline:
        for raw in client.lrange("shadow", 0, -1):
            entry = json.loads(raw)
            if entry["headers"]["task"] == "migrate.shadow.dispatch":
                message: dict[str, Any] = json.loads(base64.b64decode(entry["body"]))[1]["message"]
                return message
        time.sleep(0.1)
    raise AssertionError("nothing was announced")


def test_from_an_env_file_to_a_run_that_waits_for_its_place(
    standins: Settings,
    env_file: Path,
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Celery 5.5.3, redis 6.2.0 and SQLAlchemy 1.4 with our plugin; Conductor alone is away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIGRATE_SERVICES__DAILY_URL", standins.services.daily_url)
    config = tmp_path / "attached" / "migrate.toml"
    argv = ["attach", "--reflector-env", str(env_file), "--conductor", "http://127.0.0.1:1/api",
            "--out", str(config), "--yes"]  # fmt: skip
    said = CliRunner().invoke(cli, argv, catch_exceptions=False)
    wrong = [line for line in said.output.splitlines() if line.startswith("✗ ")]
    ours = ("conductor", "definitions", "127.0.0.1:1", "migrate register")
    assert [line for line in wrong if not any(name in line for name in ours)] == [], said.output
    settings = load_settings(config)
    environ = os.environ | read_env_file(env_file)
    plugin = str(config.parent / "reflector-plugin")
    environ |= {"PYTHONPATH": plugin, "MIGRATE_SHADOW": "true"}
    celery, broker = make_environment(tmp_path / "theirs"), environ["CELERY_BROKER_URL"]
    with (
        their_worker(celery, environ, tmp_path / "theirs.log"),
        Celery(broker=broker, backend=broker) as app,
    ):
        Rows.at(postgres_url).insert_transcript(id="t-1", recording_id="rec")
        kwargs = {"transcript_id": "t-1", "bucket_name": TRACKS, "track_keys": [KEY]}
        app.send_task(TASK, kwargs=kwargs).get(timeout=120)
        enabled = settings.shadow.model_copy(update={"enabled": True})
        settings = settings.model_copy(update={"shadow": enabled})
        assert plugin_is_loaded(Harness.of(settings)).state == "pass"
        announced = parse(_announcement(broker))
    assert announced.ui_base_url == "https://reflector.example"
    shadow = Shadow(Harness.of(settings), lambda _run, _delay_s: None)
    run = claim(shadow, announced)
    assert run is not None
    advance(shadow, run.run_id)
    ready = Runs(settings.store_url).by_id(run.run_id)
    assert ready is not None
    assert ready.state in (RunState.WAITING, RunState.STARTING), ready.reason
    place = place_of_run(settings, run.run_id)
    bucket, _, folder = place.tracks_bucket.partition("/")
    listed = _s3(settings).list_objects_v2(Bucket=bucket, Prefix=folder)["Contents"]
    assert [one["Key"] for one in listed] == [f"{folder}/{KEY}"]

"""Each server of the sandbox really boots, answers, and ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import boto3
import psutil
import psycopg
import pytest
import redis

from reflector_migrate.sandbox.probe import request
from reflector_migrate.sandbox.process_table import Records
from reflector_migrate.sandbox.servers import postgres as postgres_module
from reflector_migrate.sandbox.stack import Sandbox
from tests.patience import PATIENT

pytestmark = pytest.mark.heavy


def test_redis_acknowledges_only_what_is_on_disk(redis_server):
    """Redis answers and syncs its append-only file on every write."""
    client = redis.Redis.from_url(f"{redis_server}/1", socket_timeout=5)
    assert client.set("greeting", "hello")
    assert client.config_get("appendfsync") == {"appendfsync": "always"}


def test_s3_has_the_four_buckets_from_the_start(s3_server):
    """The S3 holds every bucket that either side writes to."""
    client = boto3.client(
        "s3",
        endpoint_url=s3_server.s3.endpoint_url,
        region_name=s3_server.s3.region,
        aws_access_key_id=s3_server.s3.access_key_id.get_secret_value(),
        aws_secret_access_key=s3_server.s3.secret_access_key.get_secret_value(),
    )
    names = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    assert names == {"daily-tracks", "reflector-media", "shadow-tracks", "shadow-media"}


def test_postgres_gives_each_test_an_empty_database(postgres_url):
    """PostgreSQL runs, even when the tests run as root, and starts out empty."""
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        tables = "select count(*) from information_schema.tables where table_schema = 'public'"
        assert connection.execute(tables).fetchone() == (0,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the server to somebody else")
def test_postgres_keeps_what_it_had_over_a_sigkill(tmp_path):
    """Killed whole, started again: the same address, and every committed row."""
    with postgres_module.postgres(tmp_path) as server:
        url = server.create_database()
        with psycopg.connect(plain(url), autocommit=True) as connection:
            connection.execute("create table t as select 7 as n")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(plain(url), connect_timeout=2)
        server.restart()
        with psycopg.connect(plain(url)) as connection:
            assert connection.execute("select n from t").fetchone() == (7,)


def plain(url):
    """A URL for psycopg itself."""
    return url.replace("+psycopg", "", 1)


def test_postgres_runs_from_a_copy_of_binaries_that_only_root_may_reach(tmp_path, monkeypatch):
    """A checkout in a private folder is not an obstacle, and the copy is removed again."""
    monkeypatch.setattr(postgres_module, "_is_reachable", lambda _: False)
    with postgres_module.postgres(tmp_path) as server:
        (record,) = Records.of(tmp_path).read()
        home = Path(record.argv[0]).parents[3]
        assert home.name.startswith("migrate-postgres-")
        assert psutil.Process(record.pid).username() == "nobody"
        assert server.create_database().startswith("postgresql+psycopg://")
    assert not home.exists()
    assert not psutil.pid_exists(record.pid)


@pytest.mark.live
@pytest.mark.parametrize(
    ("version", "parts"),
    [
        pytest.param("3.32.3", ("conductor",), id="the current one, on SQLite"),
        pytest.param("3.15.0", ("conductor", "redis"), id="the seed's, on Redis"),
    ],
)
def test_conductor_is_healthy_and_keeps_definitions_over_a_restart(tmp_path, version, parts):
    """Either Conductor boots, and what was registered is there after a restart."""
    sandbox = Sandbox(PATIENT, tmp_path, conductor_version=version, with_=parts)
    with sandbox:
        before = _workflow_names(sandbox.settings)
        sandbox.restart("conductor")
        assert {row.health for row in sandbox.status()} == {"healthy"}
        assert _workflow_names(sandbox.settings) == before
    assert "daily_diarization_pipeline" in before
    assert sandbox.status() == ()


def _workflow_names(settings):
    port = int(settings.conductor.server_url.removesuffix("/api").rpartition(":")[2])
    status, body = request("GET", port, "/api/metadata/workflow", timeout_s=30)
    assert status == 200
    return sorted(workflow["name"] for workflow in json.loads(body))

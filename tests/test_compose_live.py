"""The production stack's Conductor: the real server, with the properties that compose mounts."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import yaml
from sqlalchemy import create_engine, text

from reflector_migrate.conductor.register import register_all, unregistered
from reflector_migrate.harness import Harness
from reflector_migrate.sandbox.download import ensure_jar
from reflector_migrate.sandbox.ports import HOST, free_port
from reflector_migrate.sandbox.probe import http_ok
from reflector_migrate.sandbox.process import stop
from reflector_migrate.sandbox.reaper import Reaper
from reflector_migrate.sandbox.servers.base import Folders, Server
from reflector_migrate.sandbox.servers.conductor import java
from reflector_migrate.sandbox.servers.postgres import PostgresServer
from reflector_migrate.sandbox.starter import Starter
from reflector_migrate.settings import Settings

ROOT = Path(__file__).parents[1]
CONDUCTOR = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["conductor"]
STARTS_WITHIN_S = 400.0


@pytest.mark.live
@pytest.mark.timeout(900)
def test_the_mounted_properties_put_everything_into_postgresql(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """It boots as its image would start it, takes our definitions, and keeps them in PostgreSQL."""
    database = postgres_server.create_database()
    settings, server = _as_its_image_would(postgres_server, database, tmp_path)
    starter = Starter(Folders(tmp_path), timeout_s=STARTS_WITHIN_S, say=lambda _: None)
    reaper = Reaper.watch(tmp_path)
    try:
        starter.run([server], {}, [])
        register_all(Harness.of(settings))
        assert not unregistered(Harness.of(settings))
        assert httpx.get(f"http://{HOST}:{server.port}/health", timeout=30).json()["healthy"]
    finally:
        stop(starter.records.read(), starter.records, 10)
        reaper.dismiss()
    with create_engine(database).connect() as connection:
        kept = connection.scalar(text("select count(*) from meta_task_def"))
    assert kept == 15
    assert not list(tmp_path.rglob("*.db"))


def _as_its_image_would(
    postgres: PostgresServer, database: str, folder: Path
) -> tuple[Settings, Server]:
    """java -DCONDUCTOR_CONFIG_FILE=FILE -jar JAR, with compose's environment but for addresses."""
    port, name = free_port(), database.rpartition("/")[2]
    settings = Settings.model_validate({"conductor": {"server_url": f"http://{HOST}:{port}/api"}})
    environ = {key: str(value) for key, value in CONDUCTOR["environment"].items()}
    environ |= {
        "SPRING_DATASOURCE_URL": f"jdbc:postgresql://{HOST}:{postgres.port}/{name}",
        "SPRING_DATASOURCE_USERNAME": "postgres",
        "SPRING_DATASOURCE_PASSWORD": postgres.password,
        "SERVER_PORT": str(port),
        "SERVER_ADDRESS": HOST,
    }
    file = CONDUCTOR["volumes"][0].partition(":")[0]
    jar = ensure_jar(settings.conductor.version, settings.cache_dir)
    options = ("-Xmx768m", f"-DCONDUCTOR_CONFIG_FILE={ROOT / file}")
    argv = (java(settings), *options, "-jar", str(jar))
    ready = http_ok(port, "/health")
    return settings, Server("conductor", argv, folder, ready, port, env=environ)

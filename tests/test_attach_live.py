"""docs/attach.md walked beside a Reflector deployment, from its env file to a first comparison.

Each command is taken from the document, in its order.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import tomli_w
from celery import Celery
from sqlalchemy import text

from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from reflector_migrate.settings.reflector_env import read_env_file
from reflector_migrate.store.base import writing
from tests.recorded_world import RUNS, fill, recorded_rows
from tests.test_cli_attach import _drop
from tests.their_deployment import SCHEMA, make_environment

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs/attach.md").read_text("utf-8")
MIGRATE = str(Path(sys.executable).with_name("migrate"))
TASK = "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process"
TRACKS, MEDIA, RUN = "attached-tracks", "attached-media", "good"
COLUMNS = (
    "title", "short_summary", "long_summary", "topics", "participants", "webvtt", "duration",
    "audio_location",
)  # fmt: skip
INSTALLED = ("docker build", "python3 -m venv", "/opt/migrate/bin/pip", "cp migrate.example.toml")
"""How the guide installs, and how it does without `attach`: this environment is installed."""

NEWER = (
    "column transcript.change_seq, transcript.workflow_run_id",
    "event ACTION_ITEMS",
    "class reflector.db.transcripts.TranscriptActionItems",
)


def documented() -> list[str]:
    """Every command of the six steps, as it stands there; a continued line is one."""
    steps = GUIDE.partition("## Six steps")[2].partition("## Configure your Conductor")[0]
    found = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", steps, re.DOTALL)
    commands = []
    for block, inline in found:
        lines = re.sub(r"\\\n\s*", "", block).splitlines() or [inline]
        commands += [" ".join(line.split()) for line in lines]
    known = ("migrate ", "PYTHONPATH=", *INSTALLED)
    return [command for command in commands if command.startswith(known)]


@pytest.fixture
def env_file(
    redis_server: str, s3_server: Settings, standins: Settings, postgres_url: str, tmp_path: Path
) -> Iterator[Path]:
    """Reflector's own env file; its tables, a recorded recording and its tracks are there."""
    with writing(postgres_url) as connection:
        connection.execute(text("CREATE TYPE sourcekind AS ENUM ('room', 'live', 'file')"))
        connection.exec_driver_sql(SCHEMA.read_text("utf-8"))
        for column in ("change_seq bigint", "workflow_run_id varchar"):
            connection.execute(text(f"ALTER TABLE transcript ADD COLUMN {column}"))
    recorded = recorded_rows(RUN)
    recorded["recording"][0]["bucket_name"] = TRACKS
    recorded["room"][0]["zulip_auto_post"] = False
    fill(Rows.at(postgres_url), recorded, "http://127.0.0.1:1")
    with writing(postgres_url) as connection:
        connection.execute(text("UPDATE room SET webhook_url = NULL"))
    _put_sound(s3_server, recorded)
    _answer_as_recorded(standins, recorded)
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
    with StandinControl(standins.sandbox.control_url or "") as control:
        control.reset()
    _drop(postgres_url)


def _put_sound(settings: Settings, recorded: dict[str, Any]) -> None:
    key, secret = settings.s3.access_key_id, settings.s3.secret_access_key
    assert key is not None
    assert secret is not None
    s3 = boto3.client(
        "s3", endpoint_url=settings.s3.endpoint_url, region_name="us-east-1",
        aws_access_key_id=key.get_secret_value(), aws_secret_access_key=secret.get_secret_value(),
    )  # fmt: skip
    for bucket in (TRACKS, MEDIA):
        s3.create_bucket(Bucket=bucket)
    for name in recorded["recording"][0]["track_keys"]:
        parts = name.rpartition("/")[2].split("-")
        sound = (RUNS / "tracks" / f"{parts[1]}-{parts[-3]}-{parts[-2]}.webm").read_bytes()
        s3.put_object(Bucket=TRACKS, Key=name, Body=sound)
    mix = (RUNS / "audio.mp3").read_bytes()
    s3.put_object(Bucket=MEDIA, Key=f"{recorded['transcript'][0]['id']}/audio.mp3", Body=mix)


def _answer_as_recorded(standins: Settings, recorded: dict[str, Any]) -> None:
    scenario = json.loads((RUNS / RUN / "scenario.json").read_text("utf-8"))
    owners = {p["id"]: p["user_id"] for p in recorded["transcript"][0]["participants"]}
    people = [
        {"participant_id": one, "user_name": name, "user_id": owners[one], "join_time": 1,
         "duration": 9}
        for one, name in scenario["participants"].items()
    ]  # fmt: skip
    known = {
        "id": recorded["recording"][0]["id"], "room_name": "rigroom", "start_ts": 1,
        "status": "finished", "duration": 34, "tracks": [], "mtgSessionId": "mtg-0001",
    }  # fmt: skip
    with StandinControl(standins.sandbox.control_url or "") as control:
        control.put_daily_recording(known, people)
        control.replay_run(RUNS / RUN)


@dataclass
class Walk:
    """A person at a terminal, in the folder of migrate.toml."""

    folder: Path
    environ: dict[str, str]
    reflector_env: Path
    conductor_url: str
    celery: Path
    ends: ExitStack
    said: dict[str, tuple[int, str]] = field(default_factory=dict)

    def do(self, command: str) -> None:
        """Run a documented command, with this world's names in the place of the document's."""
        if command.startswith(INSTALLED):
            return
        here = command.replace("/opt/reflector-shadow", str(self.folder / "shadow"))
        if command.startswith("PYTHONPATH="):
            self.start_their_worker(here)
            return
        argv = shlex.split(here.replace("FILE", str(self.reflector_env)))[1:]
        if command.startswith("migrate worker run"):
            self.start(command, [MIGRATE, *argv], self.environ)
            return
        if command.startswith("migrate attach --reflector-env"):
            argv += ["--conductor", self.conductor_url, "--yes"]
        done = subprocess.run(
            [MIGRATE, *argv], cwd=self.folder, env=self.environ, capture_output=True, text=True,
            timeout=700, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        self.said[command] = done.returncode, done.stdout + done.stderr

    def start_their_worker(self, line: str) -> None:
        """Their celery, with the assignments before it and what their own file says."""
        words = shlex.split(line)
        assigned = dict(w.split("=", 1) for w in words if re.match(r"[A-Z_]+=", w))
        argv = [str(self.celery), *words[words.index("celery") + 1 :], "-c", "1"]
        theirs = {**os.environ, **read_env_file(self.reflector_env), **assigned}
        self.start("their worker", argv, theirs | {"THEIR_RUN": str(self.folder / "theirs.json")})

    def start(self, name: str, argv: list[str], environ: dict[str, str]) -> None:
        """Until the walk ends."""
        log = self.folder / f"{name.replace(' ', '-')}.log"
        self.ends.enter_context(_running(argv, environ, log))


@contextmanager
def _running(argv: list[str], environ: dict[str, str], log: Path) -> Iterator[None]:
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


def _switch_on(config: Path) -> None:
    """What the guide says to set, after which a recording is taken up."""
    assert "`[shadow] enabled = true`" in GUIDE
    content = tomllib.loads(config.read_text("utf-8"))
    content["shadow"]["enabled"] = True
    config.write_text(tomli_w.dumps(content), encoding="utf-8")


def _record(walk: Walk, recorded: dict[str, Any]) -> None:
    """Reflector takes the recording up; it is of a release with one event more."""
    row = recorded["transcript"][0]
    events = [e for e in row["events"] if e["event"] != "STATUS"]
    events.append({"event": "ACTION_ITEMS", "data": {"action_items": []}})
    theirs = {"events": events, "columns": {name: row[name] for name in COLUMNS}}
    (walk.folder / "theirs.json").write_text(json.dumps(theirs), encoding="utf-8")


def test_from_an_env_file_to_the_first_comparison(
    conductor_server: Settings,
    standins: Settings,
    env_file: Path,
    tmp_path: Path,
) -> None:
    """Celery 5.5.3, redis 6.2.0 and SQLAlchemy 1.4 with our plugin; the commands of the guide."""
    folder, recorded = tmp_path / "attached", recorded_rows(RUN)
    folder.mkdir()
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MIGRATE_")}
    environ |= {"MIGRATE_SERVICES__DAILY_URL": standins.services.daily_url}
    row, kwargs = recorded["transcript"][0], {"bucket_name": TRACKS}
    keys = [key for key in recorded["recording"][0]["track_keys"] if "cam-audio" in key]
    commands = documented()
    assert any(command.startswith("migrate compare") for command in commands)
    with ExitStack() as ends:
        url = conductor_server.conductor.server_url
        celery = make_environment(tmp_path / "theirs")
        walk = Walk(folder, environ, env_file, url, celery, ends)
        _record(walk, recorded)
        for command in commands:
            if not command.startswith("migrate compare"):
                walk.do(command)
                continue
            _switch_on(folder / "migrate.toml")
            broker = read_env_file(env_file)["CELERY_BROKER_URL"]
            with Celery(broker=broker, backend=broker) as app:
                given = {"transcript_id": row["id"], "track_keys": keys, **kwargs}
                app.send_task(TASK, kwargs=given).get(timeout=120)
            walk.do(command.replace("RECORDING", recorded["recording"][0]["id"]))
        walk.do("migrate doctor -v")
    said = walk.said
    shown = next(one for name, one in said.items() if name.startswith("migrate compare"))
    assert said["migrate attach --reflector-env FILE"][0] == 0, said
    assert said["migrate attach check"][0] == 0
    assert shown[0] == 3, shown  # of both data folders one is on this host
    assert "1 of 24 checks inconclusive" in shown[1]
    assert "✓ match  23 checks" in shown[1]
    wrong = [line for line in said["migrate doctor -v"][1].splitlines() if line.startswith("✗")]
    assert [line for line in wrong if not line.startswith("✗ beat")] == []  # sweeps once a minute
    assert said["migrate shadow status"][1].startswith("shadow is on")
    for part in NEWER:
        assert part in " ".join(shown[1].split())
        assert part in " ".join(said["migrate doctor -v"][1].split())

"""A Reflector deployment in a separate virtual environment, with what Reflector locks.

Celery 5.5.3, redis 6.2.0, SQLAlchemy 1.4, its own tables; nothing of ours but the plugin. It is
of a newer Reflector, whose classes have one more. What it found in a recording is a recorded
run's: the file THEIR_RUN has the columns and events.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

LOCKED = ("celery==5.5.3", "redis==6.2.0", "SQLAlchemy<1.5", "psycopg2-binary")
SCHEMA = Path(__file__).parent.parent / "fixtures" / "runs" / "schema.sql"

APP = """
import os
from celery import Celery

app = Celery("reflector", broker=os.environ["CELERY_BROKER_URL"],
             backend=os.environ["CELERY_RESULT_BACKEND"],
             include=["reflector.pipelines.main_multitrack_pipeline"])
"""

CLASSES = """
class TranscriptDuration: pass
class TranscriptActionItems: pass
"""

PIPELINE = """
import asyncio, json, os, time
from celery import chain
from sqlalchemy import create_engine, text
from reflector.db import transcripts
from reflector.worker.app import app

found = json.load(open(os.environ["THEIR_RUN"]))
engine = create_engine(os.environ["DATABASE_URL"].replace("+asyncpg", "+psycopg2"))


class PipelineMainMultitrack:
    def __init__(self, transcript_id):
        self.id, self.events = transcript_id, []

    def write(self, **columns):
        named = ", ".join(f"{name} = :{name}" for name in columns)
        with engine.begin() as connection:
            connection.execute(text(f"update transcript set {named} where id = :id"),
                               {"id": self.id, **columns})

    def tell(self, event, data, **columns):
        self.events.append({"event": event, "data": data})
        self.write(events=json.dumps(self.events), **columns)

    async def set_status(self, transcript_id, status):
        self.tell("STATUS", {"value": status}, status=status)

    async def mixdown_tracks(self, track_urls):
        self.tell("DURATION", found["events"][0]["data"])

    async def process(self, bucket_name, track_keys):
        await self.set_status(self.id, "processing")
        self.events.clear()
        self.write(events="[]", topics="[]", participants="[]", webvtt="WEBVTT")
        time.sleep(3)  # a real one takes minutes: the dispatcher reads the row meanwhile
        await self.mixdown_tracks(track_keys)
        for event in found["events"][1:]:
            self.tell(event["event"], event["data"])
        self.write(**{name: json.dumps(value) if isinstance(value, list) else value
                      for name, value in found["columns"].items()})
        await self.set_status(self.id, "ended")


@app.task(name="reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process")
def task_pipeline_multitrack_process(*, transcript_id, bucket_name, track_keys):
    asyncio.run(PipelineMainMultitrack(transcript_id).process(bucket_name, track_keys))
    chain(*(task.si(transcript_id=transcript_id) for task in after)).delay()


def _after(name):
    @app.task(name=name)
    def task(*, transcript_id):
        return None
    return task


after = [_after(f"reflector.pipelines.{name}") for name in (
    "main_live_pipeline.task_cleanup_consent", "main_live_pipeline.task_pipeline_post_to_zulip",
    "main_file_pipeline.task_send_webhook_if_needed")]
"""


def make_environment(folder: Path) -> Path:
    """Its celery: a new virtual environment with the locked packages and their application."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", *LOCKED]
    subprocess.run(pip, check=True, timeout=500)
    (site,) = folder.glob("lib/python*/site-packages")
    for name, source in (
        ("reflector/__init__.py", ""),
        ("reflector/worker/__init__.py", ""),
        ("reflector/worker/app.py", APP),
        ("reflector/db/__init__.py", ""),
        ("reflector/db/transcripts.py", CLASSES),
        ("reflector/pipelines/__init__.py", ""),
        ("reflector/pipelines/main_multitrack_pipeline.py", PIPELINE),
    ):
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return folder / "bin" / "celery"

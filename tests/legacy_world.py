"""A real worker with the stand-in monolith and the plugin, and a recorded run to happen again."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from celery import Celery

from reflector_migrate.clients.connections import connections
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows, restore, wipe
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.quiescence import is_settled
from reflector_migrate.shadow.observe.reader import observe, primary_of
from tests.patience import PATIENT
from tests.pipeline_world import World, put_people
from tests.recorded_world import RUNS, fill
from tests.sources_world import put_tracks

PROCESS = "reflector.worker.process.process_multitrack_recording"
PIPELINE = "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process"
PARTS = ("redis", "s3", "standins", "legacy")
REFLECTOR = {"ui_base_url": "http://ui.rig.test", "webhook_retry_s": 0.2}
SERVICES = {"llm_model": "rig-model"}
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@contextmanager
def legacy_sandbox(folder: Path, *, shadow: bool = True) -> Iterator[Sandbox]:
    """Redis, S3, stand-ins and the legacy worker."""
    changes = {"reflector": REFLECTOR, "services": SERVICES}
    with Sandbox(PATIENT, folder, with_=PARTS, shadow=shadow, changes=changes) as sandbox:
        yield sandbox


@dataclass
class Replayed:
    """What the monolith left of a recorded run, and what the real pipeline had left."""

    settings: Settings
    control: StandinControl
    name: str
    scenario: dict[str, Any]
    recorded: dict[str, Any]
    bus: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def recording_id(self) -> str:
        """Daily's id."""
        return str(self.recorded["recording"][0]["id"])

    @property
    def rows(self) -> Rows:
        """The primary's."""
        return Rows.at(self.settings.reflector.database_url or "")

    @property
    def row(self) -> Any:
        """The transcript as it stands."""
        return self.rows.transcript_of(self.recording_id)

    @property
    def wanted(self) -> dict[str, Any]:
        """The transcript as the real pipeline left it."""
        return dict(self.recorded["transcript"][0])

    @property
    def spans(self) -> list[dict[str, Any]]:
        """The plugin's timings."""
        return [m for task, m in self.messages() if task == "migrate.shadow.spans"]

    def messages(self) -> list[tuple[str, dict[str, Any]]]:
        """What the plugin put on the harness's queue, oldest first: (task, message)."""
        listed = self.broker().lrange("shadow", 0, -1)
        return [decoded(raw) for raw in reversed(listed)]

    def broker(self) -> Any:
        """The broker's Redis."""
        return redis.Redis.from_url(self.settings.reflector.broker_url)

    def keys(self, bucket: str) -> list[str]:
        """What is in a bucket."""
        listed = connections(self.settings).s3.list_objects_v2(Bucket=bucket).get("Contents", ())
        return sorted(o["Key"] for o in listed)

    def calls(self, kind: str) -> list[dict[str, Any]]:
        """The real run's requests of a kind."""
        lines = (RUNS / self.name / "http.jsonl").read_text().splitlines()
        return [call for call in map(json.loads, lines) if call["kind"] == kind]

    def observed(self, **more: Any) -> Any:
        """The primary's observation."""
        return observe(
            Harness.of(self.settings),
            primary_of(self.settings),
            self.recording_id,
            spans=self.spans,
            **more,
        )

    def renamed(self, value: Any) -> Any:
        """Our run's value with the recorded run's transcript id, time of creation and no UUIDs."""
        text = json.dumps(value, sort_keys=True).replace(self.row.id, self.wanted["id"])
        at = self.wanted["created_at"].replace(" ", "T")
        return plain(json.loads(text.replace(self.row.created_at.isoformat(), at)))

    def process(self) -> None:
        """Send what Daily's webhook would send, and wait until nothing more can follow."""
        self.send(
            PROCESS,
            bucket_name=self.settings.reflector.tracks_bucket,
            daily_room_name=self.scenario["room"],
            recording_id=self.recording_id,
            track_keys=self.scenario["keys"],
        )
        self.settle()

    def send(self, task: str, **kwargs: Any) -> None:
        """Send a task to the legacy worker."""
        with Celery(broker=self.settings.reflector.broker_url) as app:
            app.send_task(task, kwargs=kwargs)

    def settle(self, timeout_s: float = 90.0) -> None:
        """Wait until the plugin says that the last task has ended."""
        deadline = time.monotonic() + timeout_s
        has_webhook = bool(self.recorded["room"][0]["webhook_url"])
        while time.monotonic() < deadline:
            status = self.row.status if self.row else None
            if is_settled(status, self.spans, has_webhook=has_webhook):
                return
            time.sleep(0.1)
        states = [(span["task"], span["state"]) for span in self.spans]
        raise AssertionError(f"{self.name} did not settle: {states}")


def stage(sandbox: Sandbox, name: str, *, is_brief: bool = False) -> Replayed:
    """Everything as it was before the recorded run `name`; whatever ran before is forgotten."""
    where, settings = RUNS / name, sandbox.settings
    control = StandinControl(settings.sandbox.control_url or "")
    control.reset()
    replayed = Replayed(
        settings=settings,
        control=control,
        name=name,
        scenario=json.loads((where / "scenario.json").read_text()),
        recorded=json.loads((where / "rows.json").read_text()),
    )
    for known in RUNS.glob("*/rows.json"):
        wipe(replayed.rows, json.loads(known.read_text())["recording"][0]["id"], "stand-in")
    fill_world(replayed, where, is_brief=is_brief)
    control.replay_run(where)
    replayed.broker().delete("shadow")
    return replayed


def fill_world(replayed: Replayed, where: Path, *, is_brief: bool) -> None:
    """Room, meeting, consents, tracks and Daily's knowledge; no recording yet."""
    fill(replayed.rows, replayed.recorded, replayed.control.url("webhook"))
    consents = replayed.recorded.get("meeting_consent", [])
    wipe(replayed.rows, replayed.recording_id, "stand-in")
    rows = {"meeting": [replayed.recorded["meeting"][0]], "meeting_consent": consents}
    restore(replayed.rows, rows, owner="stand-in")
    s3 = connections(replayed.settings).s3
    world = World(
        settings=replayed.settings,
        s3=s3,
        control=replayed.control,
        scenario=replayed.scenario,
        recorded=replayed.wanted,
        namespace="live",
    )
    put_tracks(world, where, is_brief=is_brief)
    put_people(world)


@contextmanager
def listening(replayed: Replayed) -> Iterator[None]:
    """Keep what the WebSocket bus carries meanwhile."""
    bus = redis.Redis.from_url(replayed.settings.reflector.bus_url).pubsub()
    bus.psubscribe("ts:*", "user:*")
    while (bus.get_message(timeout=5.0) or {}).get("type") != "psubscribe":
        pass
    yield
    while message := bus.get_message(timeout=0.2):
        if message["type"] == "pmessage":
            channel, body = message["channel"].decode(), json.loads(message["data"])
            replayed.bus.append({"channel": channel, "message": body})
    bus.close()


def decoded(raw: bytes) -> tuple[str, dict[str, Any]]:
    """Task and message of an entry of the queue."""
    entry = json.loads(raw)
    _args, kwargs, _embed = json.loads(base64.b64decode(entry["body"]))
    return entry["headers"]["task"], kwargs["message"]


def plain(value: Any) -> Any:
    """A value without UUIDs."""
    return json.loads(IDS.sub("ID", json.dumps(value, sort_keys=True)))

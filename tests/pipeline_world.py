"""A small world for the pipeline's tests: local S3, stand-ins, rows in SQLite, one recording."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import boto3
import numpy as np
from moto.server import ThreadedMotoServer

from reflector_migrate.conductor.heard import HARNESS
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.context import build_context, place_of
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.pipeline.runner import StepResult, execute, run_step, validated_input
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from reflector_migrate.store.base import engine_for
from reflector_migrate.store.effects import EffectLog
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.migrate import upgrade

RUNS = Path(__file__).parent.parent / "fixtures" / "runs"
BUCKETS = ("daily-tracks", "reflector-media", "shadow-tracks", "shadow-media")
ORDER = (
    "get_recording", "get_participants", "pad", "mixdown_tracks", "generate_waveform",
    "transcribe", "merge_transcripts", "detect_topics", "generate_title", "generate_summary",
    "finalize", "cleanup_consent", "post_zulip", "send_webhook",
)  # fmt: skip


@contextmanager
def local_s3() -> Iterator[str]:
    """A real S3 API on a free port, with the four buckets."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = s3_client(url)
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)
    yield url
    server.stop()


def s3_client(url: str) -> Any:
    """A plain client of the local S3."""
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


@dataclass
class World:
    """One recording of fixtures/runs in a namespace, and everything around it."""

    settings: Settings
    s3: Any
    control: StandinControl
    scenario: dict[str, Any]
    recorded: dict[str, Any]
    namespace: str = "shadow"
    run_id: str = "run-1"
    outputs: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        """The run as it is told to every step."""
        is_live = self.namespace == "live"
        return Run(
            run_id=self.run_id,
            recording_id=self.recorded["recording_id"],
            transcript_id=self.recorded["id"],
            namespace=self.namespace,
            bucket_name="daily-tracks" if is_live else "shadow-tracks",
            room_id=self.recorded["room_id"],
        )

    @property
    def rows(self) -> Rows:
        """The rows of the namespace."""
        return Rows.at(place_of(self.run, self.settings).database_url)

    @property
    def row(self):
        """The transcript as it stands."""
        return self.rows.get_transcript(self.run.transcript_id)

    @property
    def tracks(self) -> list[dict[str, Any]]:
        """The camera tracks, as the workflow is told."""
        keys = [k for k in self.scenario["keys"] if "cam-audio" in k]
        return [{"track_index": i, "s3_key": key} for i, key in enumerate(keys)]

    def effects(self, kind: str = ""):
        """What was recorded instead of done."""
        store = EffectLog(self.settings.store_url)
        return [e for e in store.of(self.run_id) if kind in ("", e.kind)]

    def messages(self):
        """What the listeners were told, as (channel, message)."""
        told = EventLog(self.settings.store_url).of(self.run_id)
        heard = [e for e in told if e.channel != HARNESS]
        return [(e.channel, {"event": e.event, "data": dict(e.data)}) for e in heard]

    def keys(self, bucket: str) -> list[str]:
        """What is in a bucket."""
        listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", ())
        return sorted(o["Key"] for o in listed)

    def step(self, name: str, **task: Any) -> StepResult:
        """Run one step through the seam that engines use, on a trip through JSON."""
        raw = json.loads(json.dumps({"run": self.run.model_dump(), **task}))
        done = run_step(name, raw, self.settings)
        self.outputs[name] = done.output
        self.usage[name] = done.usage
        return done

    def as_monolith(self, name: str, **task: Any) -> StepResult:
        """Run one step in a context of the monolith's flavour."""
        raw = {"run": self.run.model_dump(), **task}
        ctx = build_context(self.run, self.settings, flavour="celery")
        return execute(name, validated_input(name, raw), ctx)

    def fork(self, task_type: str, **task: Any) -> dict[str, Any]:
        """Run a dynamic fork's branches one after another; the JOIN's output."""
        plan = self.step("generate_dynamic_fork_tasks", task_type=task_type, **task).output
        joined = {}
        for branch in reversed(plan["tasks"]):  # a JOIN promises no order
            name = branch["taskReferenceName"]
            task = {k: v for k, v in plan["inputs"][name].items() if k != "run"}
            joined[name] = self.step(branch["name"], **task).output
        return joined

    def do(self, name: str) -> None:
        """Run what `ORDER` calls `name` on the outputs so far."""
        out, ids = self.outputs, {"transcript_id": self.run.transcript_id}
        if name == "pad":
            out["pad"] = self.fork("pad_track", tracks=self.tracks)
        elif name == "transcribe":
            language = out["get_recording"]["source_language"]
            out["transcribe"] = self.fork("transcribe_track", padded=out["pad"], language=language)
        else:
            self.step(name, **self.task_of(name, out, ids))

    def task_of(self, name: str, out: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
        """A step's input as the workflow wires it."""
        wired = {
            "get_recording": lambda: {"recording_id": self.run.recording_id},
            "get_participants": lambda: {
                "mtg_session_id": out["get_recording"]["mtg_session_id"],
                "tracks": self.tracks,
            },
            "mixdown_tracks": lambda: {"padded_urls": out["pad"]},
            "generate_waveform": lambda: {"audio_key": out["mixdown_tracks"]["audio_key"]},
            "merge_transcripts": lambda: {"transcripts": out["transcribe"]},
            "detect_topics": lambda: {"words": out["merge_transcripts"]["all_words"]},
            "generate_title": lambda: {"topics": out["detect_topics"]["topics"]},
            "generate_summary": lambda: {
                "words": out["merge_transcripts"]["all_words"],
                "topics": out["detect_topics"]["topics"],
            },
            "finalize": lambda: {"recording_id": self.run.recording_id},
        }
        return wired.get(name, lambda: ids)()

    def whole(self, until: str = "send_webhook") -> None:
        """Run every step up to `until`."""
        for name in ORDER[: ORDER.index(until) + 1]:
            self.do(name)


def make_world(
    folder: Path,
    s3_url: str,
    control: StandinControl,
    *,
    scenario: str = "good",
    namespace: str = "shadow",
    is_brief: bool = False,
    is_from_0: bool = False,
    has_tracks: bool = True,
    **overrides: Any,
) -> World:
    """A world in which the recorded run `scenario` is about to happen again.

    `is_brief` puts one second of tone in each track's place; the replayed words stay. The
    first starts at 0 if `is_from_0`.
    """
    where = RUNS / scenario
    rows = recorded_rows(scenario)
    control.reset()
    settings = settings_for(folder, s3_url, control, namespace, **overrides)
    (folder / "migrate.db").write_bytes(empty_store())
    before = rows_before(scenario, control.url("webhook"))
    for name in ("reflector.db", "candidate.db"):
        (folder / name).write_bytes(before)
    world = World(
        settings=settings,
        s3=s3_client(s3_url),
        control=control,
        scenario=json.loads((where / "scenario.json").read_text()),
        recorded=rows["transcript"][0],
        namespace=namespace,
    )
    if has_tracks:
        put_tracks(world, where, is_brief=is_brief, first_s=0 if is_from_0 else 0.2)
    put_people(world)
    control.replay_run(where)
    return world


@lru_cache(maxsize=1)
def empty_store() -> bytes:
    """The bytes of a store at the newest revision; migrating each test's own would be slow."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        upgrade(f"sqlite:///{path}")
        engine_for(f"sqlite:///{path}").dispose()
        return path.read_bytes()


@lru_cache(maxsize=8)
def rows_before(scenario: str, webhook_url: str) -> bytes:
    """The bytes of a database as it was before a recorded run began."""
    recorded = recorded_rows(scenario)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.db"
        url = f"sqlite:///{path}"
        create_all(url)
        fill(Rows.at(url), recorded, webhook_url)
        engine_for(url).dispose()
        return path.read_bytes()


def recorded_rows(scenario: str) -> dict[str, Any]:
    """Every row that the real run left, by table."""
    found: dict[str, Any] = json.loads((RUNS / scenario / "rows.json").read_text())
    return found


def settings_for(
    folder: Path, s3_url: str, control: StandinControl, namespace: str, **overrides: Any
) -> Settings:
    """Settings of a whole deployment on this machine."""
    places = {
        "store": {"url": f"sqlite:///{folder / 'migrate.db'}"},
        "s3": {"endpoint_url": s3_url, "access_key_id": "test", "secret_access_key": "test"},
        "reflector": {
            "database_url": f"sqlite:///{folder / 'reflector.db'}",
            "bus_url": "redis://127.0.0.1:1/0",
            "data_dir": folder / "data",
            "ui_base_url": "http://ui.rig.test",
        },
        "candidate": {
            "namespace": namespace,
            "database_url": f"sqlite:///{folder / 'candidate.db'}",
            "bus_url": "redis://127.0.0.1:1/2",
            "data_dir": folder / "shadow-data",
        },
        "services": {
            "daily_url": control.url("daily"),
            "daily_api_key": "daily-key",
            "transcript_url": control.url("recogniser"),
            "transcript_api_key": "gpu-key",
            "llm_url": control.url("llm"),
            "llm_api_key": "llm-key",
            "llm_model": "rig-model",
            "zulip_url": control.url("zulip"),
            "zulip_bot_email": "bot@rig.test",
            "zulip_api_key": "zulip-key",
            **overrides.pop("services", {}),
        },
        "is_sandbox": True,
        "state_dir": folder,
        **overrides,
    }
    return Settings.model_validate(places)


def fill(rows: Rows, recorded: dict[str, Any], webhook_url: str) -> None:
    """The rows as they were before the recorded run began."""
    room = recorded["room"][0] | {"webhook_url": f"{webhook_url}/hook"}
    rows.insert_room(**_timed(room))
    rows.insert_meeting(**_timed(recorded["meeting"][0]))
    for consent in recorded.get("meeting_consent", ()):
        rows.insert_consent(**_timed(consent))
    rows.insert_recording(**_timed(recorded["recording"][0]))
    made = ("id", "created_at", "user_id", "meeting_id", "recording_id", "room_id")
    transcript = _timed({k: recorded["transcript"][0][k] for k in made})
    rows.insert_transcript(**transcript)


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    times = ("created_at", "recorded_at", "start_date", "end_date", "consent_timestamp")
    return {
        k: datetime.fromisoformat(v).astimezone(UTC) if k in times and v else v
        for k, v in row.items()
    }


def put_tracks(world: World, where: Path, *, is_brief: bool, first_s: float = 0.2) -> None:
    """The source tracks, in production's bucket and in the candidate's."""
    for bucket in BUCKETS:
        keys = [{"Key": key} for key in world.keys(bucket)]
        if keys:
            world.s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
    own = where / "tracks"
    folder = own if own.is_dir() else RUNS / "tracks"
    for number, key in enumerate(world.scenario["keys"]):
        kind = "screen-audio" if "screen-audio" in key else "cam-audio"
        person = key.rsplit("/", 1)[-1].split("-", 1)[1][:8]
        path = folder / f"{person}-{kind}.webm"
        path = path if path.exists() else RUNS / "tracks" / path.name
        body = tone(first_s + number / 10) if is_brief else path.read_bytes()
        for bucket in ("daily-tracks", "shadow-tracks"):
            world.s3.put_object(Bucket=bucket, Key=key, Body=body)


@lru_cache(maxsize=8)
def tone(start_s: float) -> bytes:
    """One second of a tone as Opus in WebM, starting at `start_s`."""
    out = io.BytesIO()
    with av.open(out, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        at = np.arange(960) / 48_000
        for number in range(50):
            wave = (np.sin(2 * np.pi * 440 * at) * 8000).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            frame.rate, frame.pts = 48_000, int(start_s * 48_000) + number * 960
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def put_people(world: World) -> None:
    """What Daily knows."""
    stored = {p["id"]: p["user_id"] for p in world.recorded["participants"]}
    people = [
        {
            "participant_id": i,
            "user_name": name,
            "user_id": stored[i],
            "join_time": 1,
            "duration": 9,
        }
        for i, name in world.scenario["participants"].items()
    ]
    recording = {
        "id": world.recorded["recording_id"], "room_name": "rigroom", "start_ts": 1,
        "status": "finished", "duration": 34, "tracks": [], "mtgSessionId": "mtg-0001",
    }  # fmt: skip
    world.control.put_daily_recording(recording, people)

"""A small world for the pipeline's tests: one recording, its rows, and every step on them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reflector_migrate.conductor.progress_log import HARNESS
from reflector_migrate.harness import Harness
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.context import build_context, place_of
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.pipeline.runner import StepResult, execute, run_step, validated_input
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from reflector_migrate.store.base import run_file
from reflector_migrate.store.effects import EffectLog
from reflector_migrate.store.events import EventLog
from tests.recorded_world import RUNS, empty_store, recorded_rows, rows_before
from tests.sources_world import put_tracks, s3_client

ORDER = (
    "get_recording", "get_participants", "pad", "mixdown_tracks", "generate_waveform",
    "transcribe", "merge_transcripts", "detect_topics", "generate_title", "generate_summary",
    "finalize", "cleanup_consent", "post_zulip", "send_webhook",
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
        """The run as every step receives it."""
        is_live = self.namespace == "live"
        return Run(
            run_id=self.run_id,
            recording_id=self.recorded["recording_id"],
            transcript_id=self.recorded["id"],
            namespace=self.namespace,
            bucket_name="daily-tracks" if is_live else f"shadow-tracks/{self.run_id}",
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
        """The camera tracks, as the workflow receives them."""
        keys = [k for k in self.scenario["keys"] if "cam-audio" in k]
        return [{"track_index": i, "s3_key": key} for i, key in enumerate(keys)]

    def effects(self, kind: str = ""):
        """What was recorded instead of done."""
        store = EffectLog(self.settings.store_url)
        return [e for e in store.of(self.run_id) if kind in ("", e.kind)]

    def messages(self):
        """What the listeners heard, as (channel, message)."""
        told = EventLog(self.settings.store_url).of(self.run_id)
        heard = [e for e in told if e.channel != HARNESS]
        return [(e.channel, {"event": e.event, "data": dict(e.data)}) for e in heard]

    def keys(self, bucket: str) -> list[str]:
        """What is in a bucket; of one of the candidate's, what is this run's."""
        own = f"{self.run_id}/" if bucket.startswith("shadow-") else ""
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=own).get("Contents", ())
        return sorted(o["Key"].removeprefix(own) for o in listed)

    def step(self, name: str, **task: Any) -> StepResult:
        """Run one step through the seam that engines use, on a trip through JSON."""
        raw = json.loads(json.dumps({"run": self.run.model_dump(), **task}))
        done = run_step(name, raw, Harness.of(self.settings))
        self.outputs[name] = done.output
        self.usage[name] = done.usage
        return done

    def as_monolith(self, name: str, **task: Any) -> StepResult:
        """Run one step in a context of the monolith's flavour."""
        raw = {"run": self.run.model_dump(), **task}
        ctx = build_context(self.run, Harness.of(self.settings), flavour="celery")
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
    (folder / "reflector.db").write_bytes(before)
    world = World(
        settings=settings,
        s3=s3_client(s3_url),
        control=control,
        scenario=json.loads((where / "scenario.json").read_text()),
        recorded=rows["transcript"][0],
        namespace=namespace,
    )
    put_rows(world, before)
    if has_tracks:
        put_tracks(world, where, is_brief=is_brief, first_s=0 if is_from_0 else 0.2)
    put_people(world)
    control.replay_run(where)
    return world


def put_rows(world: World, before: bytes) -> None:
    """The rows before the run, as a file of the run's own."""
    if world.namespace == "shadow":
        path = run_file(str(world.settings.candidate.database_url), world.run_id)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(before)


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

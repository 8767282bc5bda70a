"""Both engines' work on a synthetic recording without an engine: in one process, in order.

The primary is the stand-in monolith itself, run without Celery; the candidate runs
every step through the seam that workers use, with attempts and an end like a
workflow's. What they leave is read and judged by the harness's own code.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from reflector_migrate.clients.connections import connections
from reflector_migrate.conductor.execution import Execution
from reflector_migrate.errors import StepError, TransientStepError
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Comparison, Observation, StepRun
from reflector_migrate.pipeline.contracts import CONTRACTS, Run
from reflector_migrate.pipeline.defects.registry import Defect
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.pipeline.rows import Rows, create_all, write_mark
from reflector_migrate.pipeline.runner import run_step
from reflector_migrate.pipeline.services.storage import Storage, address
from reflector_migrate.sandbox.legacy.monolith import PipelineMainMultitrack
from reflector_migrate.sandbox.legacy.process import register
from reflector_migrate.sandbox.legacy.running import live_run, run_logged
from reflector_migrate.sandbox.recordings import FixtureRecording, load_recording
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.observe.candidate import account_of_candidate
from reflector_migrate.shadow.observe.reader import observe, primary_of
from reflector_migrate.shadow.snapshot import (
    Snapshot,
    read_rows,
    restore_rows,
    state_before,
    take_snapshot,
)
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord
from reflector_migrate.store.tables import task_cache
from tests.defects_sound import Sounds
from tests.pipeline_world import settings_for
from tests.recorded_world import empty_store

RECORDINGS = Path(__file__).parent.parent / "fixtures" / "recordings"
PIPELINE = "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process"
DELIVERY = "reflector.worker.webhook.send_transcript_webhook"
OPTIONAL = ("cleanup_consent", "post_zulip", "send_webhook")
ATTEMPTS = 4


@dataclass(frozen=True)
class Scene:
    """A recording and the circumstances: every step run twice, a service that answers 500."""

    recording: str
    is_twice: bool = False
    fault: str = ""

    def __str__(self) -> str:
        """As a table shows it."""
        extra = [word for word in ("twice" if self.is_twice else "", self.fault) if word]
        return f"{self.recording} ({', '.join(extra)})" if extra else self.recording


@dataclass
class DefectsWorld:
    """A deployment of files and local servers; a primary's run of a recording is made once.

    With `sounds`, each side's sound is made once of the same sources, and never taken from the
    other side.
    """

    folder: Path
    settings: Settings
    control: StandinControl
    sounds: Sounds | None = None
    primaries: dict[tuple[str, Any], tuple[Observation, Announcement, Snapshot]] = field(
        default_factory=dict
    )

    @classmethod
    def made(
        cls, folder: Path, s3_url: str, control: StandinControl, sounds: Sounds | None = None
    ) -> DefectsWorld:
        """Empty databases, and the stand-ins as they are."""
        where = {"recordings": RECORDINGS, "control_url": control.base_url}
        settings = settings_for(folder, s3_url, control, "shadow", sandbox=where)
        (folder / "migrate.db").write_bytes(empty_store())
        write_mark(str(settings.candidate.database_url))
        write_mark(str(settings.reflector.database_url), "stand-in")
        create_all(str(settings.reflector.database_url))
        return cls(folder, settings, control, sounds)

    def shows(self, defect: Defect) -> dict[str, Comparison]:
        """The comparisons of all its recordings, by name, with the defect in the candidate."""
        return {
            name: self.compared(name, (defect.name,), defect.inject)
            for name in defect.all_recordings
        }

    def compared(self, name: str, defects: Sequence[str] = (), inject: Any = None) -> Comparison:
        """Primary (once) and candidate, judged; the primary's other run is the secondary."""
        return self._compared(Scene(name), defects, inject)

    def seen(self, scene: Scene) -> Comparison:
        """The comparison of a scene, no answer remembered from an earlier one."""
        with writing(self.settings.store_url) as connection:
            connection.execute(delete(task_cache))
        if not scene.fault:
            return self._compared(scene)
        self.control.set_fault(scene.fault, "http_500")
        try:
            return self._compared(scene)
        finally:
            self.control.clear_faults(scene.fault)

    def _compared(
        self, scene: Scene, defects: Sequence[str] = (), inject: Any = None
    ) -> Comparison:
        name, recording = scene.recording, load_recording(RECORDINGS, scene.recording)
        primary, announcement, taken = self.primary(recording, inject, scene.fault)
        candidate = self.candidate(announcement, taken, defects, is_twice=scene.is_twice)
        found = compare(primary, candidate, secondary=primary, is_repeatable=True)
        return found.model_copy(update={"recording": name})

    def primary(
        self, recording: FixtureRecording, inject: Any = None, fault: str = ""
    ) -> tuple[Observation, Announcement, Snapshot]:
        """The monolith's account, and what the candidate starts from."""
        key = recording.name, json.dumps([inject, fault])
        if key not in self.primaries:
            self.primaries[key] = self._primary(recording, inject or {})
        return self.primaries[key]

    def _primary(
        self, recording: FixtureRecording, inject: dict[str, int]
    ) -> tuple[Observation, Announcement, Snapshot]:
        settings = self.settings
        set_stage(Harness.of(settings), recording)
        self.control.set_webhook_status(
            recording.room.webhook_path or "/", inject.get("webhook", 200)
        )
        keys, bucket = list(recording.keys), settings.reflector.tracks_bucket
        if recording.trigger == "reprocess":
            keys = list(recording.all_keys)
        register(settings, bucket, recording.daily_room_name, recording.recording_id, keys)
        row = Rows.at(str(settings.reflector.database_url)).transcript_of(recording.recording_id)
        assert row is not None
        about = Announcement(
            transcript_id=row.id, bucket_name=bucket, track_keys=tuple(keys),
            task_id=str(uuid.uuid4()), published_at=now(),
        )  # fmt: skip
        Rows.at(str(settings.reflector.database_url)).set_status(row.id, "processing")
        taken = read_rows(settings, row.id, about.track_keys)
        take_snapshot(Harness.of(settings), about, taken, "taken")
        return self.monolith(about, recording.recording_id), about, taken

    def monolith(self, about: Announcement, recording_id: str) -> Observation:
        """The monolith's account of a run, its post chain included."""
        spans = [_span(PIPELINE, about.task_id)]
        pipeline = PipelineMainMultitrack(
            about.transcript_id, harness=Harness.of(self.settings), task_id=about.task_id
        )
        with suppress(StepError), self._sound_of("primary"):
            asyncio.run(pipeline.process(about.bucket_name, about.track_keys))
            spans += self._after(about, pipeline.transcript)
        return observe(
            Harness.of(self.settings), primary_of(self.settings), recording_id, spans=spans,
            zulip=self.control.zulip_messages(), webhooks=self.control.webhooks(),
        )  # fmt: skip

    def _after(self, about: Announcement, transcript: Any) -> Iterator[dict[str, Any]]:
        """The post chain: consent, Zulip, webhook."""
        run = live_run(about.task_id, transcript, about.bucket_name)
        room = Rows.at(str(self.settings.reflector.database_url)).get_room(transcript.room_id)
        has_webhook = room is not None and room.webhook_url
        for name in OPTIONAL if has_webhook else OPTIONAL[:2]:
            task_id = f"{about.task_id}-{name}"
            task = CONTRACTS[name].input.model_validate(
                {"run": run, "transcript_id": about.transcript_id}
            )
            run_logged(task_id, name, task, Harness.of(self.settings))
            yield _span(DELIVERY if name == "send_webhook" else f"x.{name}", task_id)

    def candidate(
        self,
        about: Announcement,
        taken: Snapshot,
        defects: Sequence[str],
        *,
        is_twice: bool = False,
    ) -> Observation:
        """The candidate's account of a run of its own, from the same start."""
        run_id = str(uuid.uuid4())
        take_snapshot_again(self.settings, taken, run_id)
        run = Run(
            run_id=run_id, recording_id=taken.recording_id,
            transcript_id=taken.transcript_id, namespace="shadow",
            bucket_name=place_of_run(self.settings, run_id).tracks_bucket, room_id=taken.room_id,
        )  # fmt: skip
        workers = self.settings.workers.model_copy(update={"defects": tuple(defects)})
        settings = self.settings.model_copy(update={"workers": workers})
        with self._sound_of("candidate"):
            execution = Candidate(settings, run, about.track_keys, is_twice).run_all()
        return account_of_candidate(Harness.of(settings), _record(run, about), execution)

    def _sound_of(self, side: str) -> AbstractContextManager[None]:
        return self.sounds.reused(side) if self.sounds else nullcontext()


def take_snapshot_again(settings: Settings, taken: Snapshot, run_id: str) -> None:
    """A run's rows as they were before the candidate's first, and the tracks that it kept."""
    kept, mine = (place_of_run(settings, name).tracks_bucket for name in ("taken", run_id))
    storage = Storage(connections(settings).s3, UsageMeter())
    for track in storage.list(address(kept, "")):
        storage.copy(track.address, track.address.replace(address(kept, ""), address(mine, "")))
    row = taken.rows["transcript"][0]
    is_new = not (row["title"] or row["zulip_message_id"])
    restore_rows(settings, taken, state_before(row, is_first=is_new), run_id)


class Candidate:
    """One run of every step, with a workflow's wiring, attempts and end."""

    def __init__(
        self, settings: Settings, run: Run, track_keys: Sequence[str], is_twice: bool
    ) -> None:
        self.settings, self.run, self.steps = settings, run, list[StepRun]()
        self.is_twice = is_twice
        self.tracks = [{"track_index": i, "s3_key": key} for i, key in enumerate(track_keys)]

    def run_all(self) -> Execution:
        """From the first step to the last, or to one that failed for good."""
        status, reason = "completed", None
        try:
            self._all()
        except StepError as error:
            status, reason = "failed", error.message
            recording_id = self.run.recording_id
            with suppress(StepError):
                self._once("finalize", {"recording_id": recording_id, "outcome": "error"})
        return Execution("in-process", status, tuple(self.steps), reason, self.run.run_id)

    def _all(self) -> None:
        known = self.step("get_recording", recording_id=self.run.recording_id)
        self.step("get_participants", mtg_session_id=known["mtg_session_id"], tracks=self.tracks)
        padded = self.fork("pad_track", tracks=self.tracks)
        mixed = self.step("mixdown_tracks", padded_urls=padded)
        self.step("generate_waveform", audio_key=mixed["audio_key"], audio_sha256=mixed["sha256"])
        language = known["source_language"]
        heard = self.fork("transcribe_track", padded=padded, language=language)
        words = self.step("merge_transcripts", transcripts=heard)["all_words"]
        topics = self.step("detect_topics", words=words)["topics"]
        title = self.step("generate_title", topics=topics)
        summary = self.step("generate_summary", words=words, topics=topics)
        made = {"title": title["title"], **summary, "duration": mixed["duration"]}
        self.step("finalize", recording_id=self.run.recording_id, **made)
        for name in OPTIONAL:
            with suppress(StepError):
                self.step(name, transcript_id=self.run.transcript_id)

    def fork(self, task_type: str, **task: Any) -> dict[str, Any]:
        """A dynamic fork's branches, last one first; the JOIN's output."""
        plan = self.step("generate_dynamic_fork_tasks", task_type=task_type, **task)
        joined = {}
        for branch in reversed(plan["tasks"]):
            name = branch["taskReferenceName"]
            task = {k: v for k, v in plan["inputs"][name].items() if k != "run"}
            joined[name] = self.step(branch["name"], **task)
        return joined

    def step(self, name: str, **task: Any) -> dict[str, Any]:
        """One step, tried again after a passing failure."""
        if self.is_twice:  # the worker is lost after its work, which nobody hears of
            with suppress(TransientStepError):
                self._once(name, task)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(name, task, attempt, is_kept=True)
            except TransientStepError:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _once(
        self, name: str, task: dict[str, Any], attempt: int = 1, *, is_kept: bool = False
    ) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "name": name, "track_index": task.get("track_index"), "attempt": attempt,
            "started": now(),
        }  # fmt: skip
        raw = json.loads(json.dumps({"run": self.run.model_dump(), **task}))
        try:
            done = run_step(name, raw, Harness.of(self.settings))
        except StepError as error:
            facts |= {"status": "failed", "error": error.message}
            self.steps.append(StepRun(**facts, ended=now()))
            raise
        digests = {"input_digest": done.input_digest, "output_digest": done.output_digest}
        if is_kept:
            self.steps.append(StepRun(**facts, **digests, ended=now(), usage=done.usage))
        return done.output


def _span(task: str, task_id: str) -> dict[str, Any]:
    return {"task": task, "task_id": task_id, "spans": [], "state": "SUCCESS"}


def _record(run: Run, about: Announcement) -> RunRecord:
    return RunRecord(
        run_id=run.run_id, claim=run.run_id, recording_id=run.recording_id,
        transcript_id=run.transcript_id, namespace="shadow", build="in-process",
        state="started", reason=None, workflow_id=None, primary_task_id=about.task_id,
        request={}, created_at=now(), updated_at=now(),
    )  # fmt: skip

"""One recording among doubles: every call to the outside can fail, die or be interleaved."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import Mock, patch

from reflector_migrate.conductor.execution import Execution
from reflector_migrate.errors import MigrateError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Comparison, Engine, Observation, Role, Side, Verdict
from reflector_migrate.model.run_life import ENDS
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.settings import Settings
from reflector_migrate.shadow import advance as door
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.dispatcher import claim
from reflector_migrate.shadow.erase import erase_ended
from reflector_migrate.shadow.observe.run_view import CandidateView
from reflector_migrate.shadow.observe.sides import LegacyView
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.shadow.recover.replay import reopen_failed
from reflector_migrate.shadow.recover.rerun import retry
from reflector_migrate.shadow.snapshot import Snapshot
from reflector_migrate.store import base
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import RunRecord, Runs

SHADOW = "reflector_migrate.shadow"
CONDUCTOR = "reflector_migrate.conductor"
PLACES = 1


class Died(BaseException):
    """The process was killed at this line."""


class World:
    """Store, broker, servers and clock. `plan` says what happens at which outside call."""

    def __init__(self, folder: Path, template: Path) -> None:
        path = folder / "store.db"
        shutil.copy(template, path)
        self.switch = folder / "off"
        self.settings = Settings.model_validate({
            "store": {"url": f"sqlite:///{path}"},
            "shadow": {
                "enabled": True, "max_in_flight": PLACES, "settle_s": 0, "chain_s": 0,
                "kill_switch_file": self.switch,
            },
        })  # fmt: skip
        self.began = self.at = now()
        self.messages: list[tuple[str, str | None]] = []
        self.workflows: dict[str, list[str]] = {}
        self.stopped: set[str] = set()
        self.erased: set[str] = set()
        self.is_audio_deleted = False
        self.primary, self.workflow = "processing", "running"
        self.away: set[str] = set()
        self.plan: dict[int, Callable[[], None]] = {}
        self.calls = 0
        self.opened = self.retried = self.deaths = 0
        self.shadow = Shadow(Harness.of(self.settings, lambda: self.at), self._send)

    def _send(self, run: RunRecord, _delay_s: float) -> None:
        self._outside("broker")
        self.messages.append((run.run_id, run.owner))

    def _outside(self, server: str) -> None:
        self.calls += 1
        if act := self.plan.pop(self.calls, None):
            act()
        if server in self.away and server != "broker":
            raise ServerUnreachableError(f"{server} is away")

    # what the world's parts do

    def read_rows(self, _settings: Settings, transcript_id: str, keys: tuple) -> Snapshot:
        """The primary's rows."""
        self._outside("primary")
        return Snapshot("rec", transcript_id, "room", "board", keys, {})

    def take_snapshot(self, *_about: object) -> None:
        """Copy in S3."""
        self._outside("s3")
        self._outside("candidate")

    def start(self, _settings: Settings, run: RunRecord, before_start: Callable[[], None]) -> str:
        """Search, then start: as `start_workflow` does; the process may stand still anywhere."""
        self._outside("conductor")
        if found := self.running(run.run_id):
            return found[-1]
        before_start()
        self._outside("conductor")
        known = self.workflows.setdefault(run.run_id, [])
        known.append(made := f"wf-{len(known)}-{run.run_id}")
        self._outside("conductor")  # the answer may be lost
        return made

    def running(self, run_id: str) -> list[str]:
        """A run's workflows that were not stopped."""
        return [one for one in self.workflows.get(run_id, ()) if one not in self.stopped]

    def stop_others(self, _settings: Settings, run: Run, workflow_id: str) -> None:
        """List and terminate."""
        self._outside("conductor")
        self.stopped |= {one for one in self.running(run.run_id) if one != workflow_id}

    def terminate(self, _settings: Settings, workflow_id: str, _reason: str) -> None:
        """Stop one."""
        self._outside("conductor")
        self.stopped.add(workflow_id)

    def read(self, _settings: Settings, workflow_id: str) -> Execution:
        """How far a workflow is."""
        self._outside("conductor")
        is_there = workflow_id not in self.stopped
        return Execution(workflow_id, self.workflow if is_there else "failed")

    def go_on(self, *_about: object) -> None:
        """The server retries what failed."""
        self._outside("conductor")
        self.workflow = "running"

    def erase(self, _settings: Settings, run_id: str) -> None:
        """Its places are gone."""
        self._outside("s3")
        self.erased.add(run_id)

    def may_not_be_kept(self, _settings: Settings, transcripts: Sequence[str]) -> frozenset[str]:
        """What the primary deleted."""
        self._outside("primary")
        return frozenset(transcripts if self.is_audio_deleted else ())

    def legacy_view(self, *_about: object) -> LegacyView:
        """How far the primary is."""
        self._outside("primary")
        return LegacyView(Role.PRIMARY, self.primary, is_settled=self.primary == "ended")

    def candidate_view(self, _settings: Settings, run: RunRecord) -> CandidateView:
        """How far the workflow is."""
        self._outside("conductor")
        return CandidateView(Execution(run.workflow_id, self.workflow), {
            "workflowId": run.workflow_id, "status": self.workflow.upper(), "tasks": [],
            "startTime": self.at.timestamp() * 1000,
        })  # fmt: skip

    def observed(self, _settings: Settings, run: RunRecord, role: Role) -> Observation:
        """A side's account."""
        self._outside("primary" if role is Role.PRIMARY else "conductor")
        return Observation(recording="rec", run_id=run.run_id, role=role, engine=Engine.CELERY,
                           status="completed")  # fmt: skip

    def compare(self, _settings: Settings, run: RunRecord, *_about: object) -> bool:
        """A verdict, stored as the judge's is."""
        self._outside("waivers")
        sides = {
            "primary": Side(role=Role.PRIMARY, engine=Engine.CELERY),
            "candidate": Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR),
        }
        found = Comparison(recording="rec", run_id=run.run_id, verdict=Verdict.MATCHED, **sides)
        return Evidence(self.settings.store_url).add([], found, "2026-11-28", closing=run)

    @contextmanager
    def writing(self, url: str) -> Iterator[object]:
        """A transaction of the register's; the process may die before it or after it."""
        self._outside("store")
        with base.writing(url) as connection:
            yield connection
        self._outside("written")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Everything in its place."""
        doubles = {
            f"{SHADOW}.dispatcher.read_rows": self.read_rows,
            f"{SHADOW}.dispatcher.take_snapshot": self.take_snapshot,
            f"{SHADOW}.dispatcher._start": self.start,
            f"{CONDUCTOR}.start.stop_others": self.stop_others,
            f"{CONDUCTOR}.execution.terminate": self.terminate,
            f"{CONDUCTOR}.execution.read": self.read,
            f"{CONDUCTOR}.execution.retry": self.go_on,
            f"{SHADOW}.recover.reopen.read": self.read,
            f"{SHADOW}.recover.reopen.build_context": lambda _run, settings: Mock(
                settings=settings
            ),
            f"{SHADOW}.recover.reopen._wait_until_told": lambda *_about: None,
            f"{SHADOW}.recover.reopen._processing": lambda *_about: None,
            f"{SHADOW}.erase.erase_run": self.erase,
            f"{SHADOW}.erase._may_not_be_kept": self.may_not_be_kept,
            f"{SHADOW}.observe.run_view.legacy_view": self.legacy_view,
            f"{SHADOW}.observe.run_view.candidate_view": self.candidate_view,
            f"{SHADOW}.observe.run_view.secondary_of": lambda *_about: None,
            f"{SHADOW}.collector._observed": self.observed,
            f"{SHADOW}.collector.apply": lambda *_about: self._outside("conductor"),
            f"{SHADOW}.collector.store_comparison": self.compare,
            "reflector_migrate.store.runs.writing": self.writing,
        }
        with ExitStack() as stack:
            for target, double in doubles.items():
                stack.enter_context(patch(target, double))
            yield

    # who acts

    def acting(self, work: Callable[[], object]) -> None:
        """Have one process do it; it may die, or its task's door stops what came through."""
        try:
            work()
        except Died:
            self.deaths += 1
        except (MigrateError, RuntimeError):
            return

    def announce(self, task: str | None) -> None:
        """The primary's worker says that a run has begun; or a replay does, without the task."""
        published = self.began if task else None  # however late it comes
        said = Announcement(transcript_id="t", bucket_name="b", track_keys=("k",), task_id=task,
                            published_at=published)  # fmt: skip

        def receive() -> None:
            if run := claim(self.shadow, said):
                door.advance(self.shadow, run.run_id)

        self.acting(receive)

    def deliver(self, number: int, *, keeps: bool) -> None:
        """A worker takes a message up; it may be delivered again."""
        if not self.messages:
            return
        number %= len(self.messages)
        run_id, ticket = self.messages[number] if keeps else self.messages.pop(number)
        self.acting(lambda: door.advance(self.shadow, run_id, ticket))

    def sweep(self) -> None:
        """Beat's task."""
        self.acting(lambda: door.sweep(self.shadow))

    def retry(self) -> None:
        """`migrate retry` of the latest run, by a person who sees that its workflow failed."""
        for run in self.runs()[-1:]:
            self.acting(lambda run=run: self._retry(run))

    def _retry(self, run: RunRecord) -> None:
        self.retried += 1
        retry(Harness.of(self.settings), run, self._send)

    def erase_ended(self) -> None:
        """Beat's other task."""
        self.acting(lambda: erase_ended(self.shadow))

    def reopen(self) -> None:
        """`migrate replay --failed`."""
        ago, soon = self.at - timedelta(days=99), self.at + timedelta(days=1)

        def work() -> None:
            self.opened += len(reopen_failed(Harness.of(self.settings), ago, soon, self._send))

        self.acting(work)

    def pass_time(self, seconds: float) -> datetime:
        """Let time go by."""
        self.at += timedelta(seconds=seconds)
        return self.at

    def runs(self) -> tuple[RunRecord, ...]:
        """Every run there is."""
        long = timedelta(days=999)
        return Runs(self.settings.store_url).claimed_between(self.at - long, self.at + long)

    def come_to_rest(self) -> None:
        """Every server is up and both sides end: then time and the sweep must be enough."""
        self.plan.clear()
        self.away.clear()
        self.primary, self.workflow = "ended", "completed"
        for _ in range(60):
            if all(run.state in ENDS for run in self.runs()):
                break
            self.pass_time(4000)
            self.sweep()
            while self.messages:
                self.deliver(0, keeps=False)

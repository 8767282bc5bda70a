"""One worker process: polls for its steps, runs at most its slots, drains when asked.

One thread per step waits at the server, and one listens for the wake-up channel; what they
bring is run by a pool. When draining, a task that is still on its way is given back to
its queue, those that run may end within the bound, and those that do not are given back
too.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from conductor.client.http.models.task import Task
from conductor.client.http.rest import ApiException

from reflector_migrate.conductor.live_claims import fence_of
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.conductor.runtime.groups import Member
from reflector_migrate.conductor.runtime.in_flight_file import Note, path_of_ours, write
from reflector_migrate.conductor.runtime.task_client import TaskClient
from reflector_migrate.conductor.runtime.task_runner import Execute, TaskRunner, attempt_of
from reflector_migrate.conductor.runtime.worker_registry import WORKERS
from reflector_migrate.conductor.server_version import ServerVersion, server_version
from reflector_migrate.conductor.task_domain import identity, task_domain
from reflector_migrate.conductor.wakeup import WakeupChannel
from reflector_migrate.conductor.workflows.step_order import FOLLOWING
from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings

logger = logging.getLogger(__name__)

SERVER_WAIT_S = 1.0
TROUBLE_WAIT_S = 1.0
IDLE_WAIT_S = 0.5
LEAVE_S = 1.5
"""Of the drain: for giving back what is unfinished."""


def serve(
    harness: Harness,
    member: Member,
    stop: threading.Event,
    on_ready: Callable[[], None],
    execute: Execute,
) -> None:
    """Work until `stop`; ends the process itself when a step still runs after the drain."""
    version = _wait_for_server(harness.settings, stop)
    if version is None:
        return
    who = identity()
    client = TaskClient(harness, version, who)
    runner = TaskRunner(harness, who, execute, Progress(harness), client.lease, fence_of(harness))
    logger.info(
        "%s polls server %s in domain %s as %s",
        member.group, version, task_domain(harness.settings), who.worker_id,
    )  # fmt: skip
    is_drained = WorkerProcess(member, client, runner, WakeupChannel(harness)).run(
        stop, max(0.0, harness.settings.workers.drain_s - LEAVE_S), on_ready
    )
    if not is_drained:
        logging.shutdown()
        os._exit(0)  # a hung step's thread cannot be ended any other way


def _wait_for_server(settings: Settings, stop: threading.Event) -> ServerVersion | None:
    while not stop.is_set():
        try:
            return server_version(settings)
        except ServerUnreachableError as error:
            logger.warning("waiting for Conductor: %s", error)
            stop.wait(SERVER_WAIT_S)
    return None


class WorkerProcess:
    """Runs the tasks of one member until it is asked to stop."""

    def __init__(
        self, member: Member, client: TaskClient, runner: TaskRunner, wakeup: WakeupChannel
    ) -> None:
        """Start nothing yet."""
        self._member = member
        self._client = client
        self._runner = runner
        self._wakeup = wakeup
        self._running: dict[str, Task] = {}
        self._notes = path_of_ours()
        self._changed = threading.Condition()
        self._pool = ThreadPoolExecutor(member.slots, thread_name_prefix=member.group)
        if self._notes is not None:
            runner.on_usage = self._note_usage

    def run(self, stop: threading.Event, drain_s: float, on_ready: Callable[[], None]) -> bool:
        """Work until `stop`, then drain; False if tasks had to be given back unfinished."""
        pollers = [
            threading.Thread(target=self._poll, args=(step, stop), name=f"poll-{step}", daemon=True)
            for step in self._member.steps
        ]
        ear = threading.Thread(
            target=self._wakeup.listen, args=(stop, partial(self._answer, stop)), daemon=True
        )
        for thread in (*pollers, ear):
            thread.start()
        on_ready()
        stop.wait()
        return self._drain((*pollers, ear), time.monotonic() + drain_s)

    def _poll(self, step: str, stop: threading.Event) -> None:
        while not stop.is_set():
            if not self._has_slot():
                continue
            try:
                task = self._client.take(step)
            except ApiException as error:
                logger.warning("poll for %s: %s", step, error.status or "no answer")
                stop.wait(TROUBLE_WAIT_S)
                continue
            if task is not None:
                self._accept(step, task, stop)

    def _answer(self, stop: threading.Event, rung: frozenset[str]) -> None:
        """Take what is there of the steps that are said to be ready, as far as there are slots."""
        for step in self._member.steps:
            if step in rung and (free := self._free()) and not stop.is_set():
                try:
                    tasks = self._client.look(step, free)
                except ApiException as error:
                    logger.warning("look for %s: %s", step, error.status or "no answer")
                    return
                for task in tasks:
                    self._accept(step, task, stop)

    def _has_slot(self) -> bool:
        with self._changed:
            return bool(self._free() or self._changed.wait_for(self._free, IDLE_WAIT_S))

    def _free(self) -> int:
        return max(0, self._member.slots - len(self._running))

    def _accept(self, step: str, task: Task, stop: threading.Event) -> None:
        with self._changed:
            is_accepted = self._free() > 0 and not stop.is_set()
            if is_accepted:
                self._running[task.task_id] = task
                self._note()
        if is_accepted:
            self._pool.submit(self._work, step, task)
        else:
            self._give_back(task)

    def _work(self, step: str, task: Task) -> None:
        self._client.hand_in(WORKERS[step](task, self._runner))
        with self._changed:
            self._running.pop(task.task_id, None)
            self._runner.forget(task)
            self._note()
            self._changed.notify_all()
        self._wakeup.ring(FOLLOWING[step])

    def _note(self) -> None:
        """Write down what runs, and what it has used; the lock is held."""
        write(self._notes, (self._note_of(task) for task in self._running.values()))

    def _note_usage(self) -> None:
        with self._changed:
            self._note()

    def _note_of(self, task: Task) -> Note:
        used = self._runner.cut_short(task).model_dump(mode="json", exclude_defaults=True)
        return Note(
            task.task_def_name, task.task_id, task.workflow_instance_id, attempt_of(task), used
        )

    def _drain(self, takers: Sequence[threading.Thread], until: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: not self._running, until - time.monotonic())
        for taker in takers:
            taker.join(max(0.0, until - time.monotonic()))
        with self._changed:
            unfinished = list(self._running.values())
        for task in unfinished:
            self._give_back(task)
        with self._changed:
            self._running.clear()
            self._note()  # nobody is to report as dead what another may have by now
        return not unfinished

    def _give_back(self, task: Task) -> None:
        logger.info("task %s goes back into its queue", task.task_id)
        try:
            self._client.give_back(task, output=self._runner.meta_of_unfinished(task))
        except ApiException as error:
            logger.warning("task %s not given back: %s", task.task_id, error.status)

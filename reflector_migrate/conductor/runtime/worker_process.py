"""One worker process: polls for its steps, runs at most its slots, drains when told.

One thread per step waits at the server, and one listens for the doorbell; what they
bring is run by a pool. When draining, a task that is still on its way is given back to
its queue, those that run may end within the bound, and those that do not are given back
too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from conductor.client.http.models.task import Task
from conductor.client.http.rest import ApiException

from reflector_migrate.conductor.runtime.groups import Member
from reflector_migrate.conductor.runtime.in_flight_file import Note, path_of_ours, write
from reflector_migrate.conductor.runtime.task_client import Desk
from reflector_migrate.conductor.runtime.task_runner import Harness, attempt_of
from reflector_migrate.conductor.runtime.worker_registry import WORKERS
from reflector_migrate.conductor.wakeup import Doorbell
from reflector_migrate.conductor.workflows.step_order import FOLLOWING

logger = logging.getLogger(__name__)

TROUBLE_WAIT_S = 1.0
IDLE_WAIT_S = 0.5


class Host:
    """Runs the tasks of one member until told to stop."""

    def __init__(self, member: Member, desk: Desk, harness: Harness, doorbell: Doorbell) -> None:
        """Start nothing yet."""
        self._member = member
        self._desk = desk
        self._harness = harness
        self._doorbell = doorbell
        self._running: dict[str, Task] = {}
        self._notes = path_of_ours()
        self._changed = threading.Condition()
        self._pool = ThreadPoolExecutor(member.slots, thread_name_prefix=member.group)
        if self._notes is not None:
            harness.on_usage = self._note_usage

    def run(self, stop: threading.Event, drain_s: float, on_ready: Callable[[], None]) -> bool:
        """Work until `stop`, then drain; False if tasks had to be given back unfinished."""
        pollers = [
            threading.Thread(target=self._poll, args=(step, stop), name=f"poll-{step}", daemon=True)
            for step in self._member.steps
        ]
        ear = threading.Thread(
            target=self._doorbell.listen, args=(stop, partial(self._answer, stop)), daemon=True
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
                task = self._desk.take(step)
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
                    tasks = self._desk.look(step, free)
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
        self._desk.hand_in(WORKERS[step](task, self._harness))
        with self._changed:
            self._running.pop(task.task_id, None)
            self._harness.forget(task)
            self._note()
            self._changed.notify_all()
        self._doorbell.ring(FOLLOWING[step])

    def _note(self) -> None:
        """Write down what runs, and what it has used; the lock is held."""
        write(self._notes, (self._note_of(task) for task in self._running.values()))

    def _note_usage(self) -> None:
        with self._changed:
            self._note()

    def _note_of(self, task: Task) -> Note:
        used = self._harness.cut_short(task).model_dump(mode="json", exclude_defaults=True)
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
            self._desk.give_back(task, output=self._harness.meta_of_unfinished(task))
        except ApiException as error:
            logger.warning("task %s not given back: %s", task.task_id, error.status)

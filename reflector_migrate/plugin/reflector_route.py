"""Decides in Reflector's worker which engine serves a recording, and hands it over safely.

Load it with `celery -A APP worker -I reflector_route`, this folder on PYTHONPATH: it loads
reflector_shadow as well. It does nothing at all unless MIGRATE_ROUTING is true.

The pipeline's task is the one place that webhook, poller, reprocessing and command line pass.
At worker_init its `run` is replaced. A recording that goes to Celery runs the body that was
there before. One that goes to Conductor is claimed (reflector_claim), and the harness starts
its workflow. Without a readable table everything goes to Celery, and so it does wherever
anything in here fails before a claim is made.

Environment
  MIGRATE_ROUTING             true | false (default)
  MIGRATE_ROUTE_BACK_FILE   while this file is there, every recording goes to Celery
  MIGRATE_ROUTE_WAIT_S      how long a workflow's start may keep the fallback waiting (2)
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from celery import signals

shadow: Any = importlib.import_module("reflector_shadow")
table: Any = importlib.import_module("reflector_route_table")
claim: Any = importlib.import_module("reflector_claim")

CACHED_S = 5.0  # a changed table is followed within this
LOOK_S = 0.05  # between two looks at a claim that waits for its workflow
RENEW_S = 15.0  # a quarter of the lease
FAILURES, REST_S = 3, 30.0  # so many failed starts in a row, and then so long none

log = logging.getLogger("reflector_route")


class Routes:
    """The published table, as this process knows it."""

    def __init__(self, read: Callable[[], Any], now: Callable[[], float] = time.monotonic) -> None:
        self._read, self._now = read, now
        self._table: Any = None
        self._until = float("-inf")

    def current(self) -> Any:
        """The table, at most 5 s old; None if there is none, or it cannot be read."""
        if self._now() >= self._until:
            try:
                text = self._read()
                self._table = table.load(text) if text is not None else None
            except Exception as error:  # whatever it is, the recording goes to Celery
                shadow.note("route_unreadable", error)
                self._table = None
            self._until = self._now() + CACHED_S
        return self._table


class Breaker:
    """Open after a few failed starts in a row; then one probe at a time, after a rest."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._failures, self._until = now, 0, float("-inf")
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """A start may be tried; while it is open this lets one through after each rest."""
        with self._lock:
            if self._failures < FAILURES:
                return True
            if self._now() < self._until:
                return False
            self._until = self._now() + REST_S
            return True

    def note(self, *, is_started: bool) -> None:
        """What became of a start."""
        with self._lock:
            self._failures = 0 if is_started else self._failures + 1
            self._until = self._now() + REST_S


class Lease(threading.Thread):
    """Renews a legacy body's claim while it runs; takes it first if that has not been done."""

    def __init__(
        self, take: Callable[[], Any], renew: Callable[[], Any], tell: Callable[[], None], *,
        has_it: bool,
    ) -> None:  # fmt: skip
        super().__init__(name="reflector-route-lease", daemon=True)
        self._take, self._renew, self._tell, self.has_it = take, renew, tell, has_it
        self._is_over = threading.Event()

    def run(self) -> None:
        """Until the body has ended; a Redis that is away is asked again each second."""
        self._tell()
        while not self._is_over.wait(RENEW_S if self.has_it else 1.0):
            try:
                self._renew() if self.has_it else self._take()
                self.has_it = True
            except Exception as error:  # the body goes on, whatever the broker does
                shadow.note("lease", error)

    def end(self) -> None:
        """The body has ended."""
        self._is_over.set()


class Router:
    """What one worker process does with the pipeline's task."""

    def __init__(self, app: Any) -> None:
        self.app = app
        url = shadow.redis_url(app)
        self._client = shadow.redis_client(url) if url else None
        self.claims = claim.Claims(self._client)
        self.routes = Routes(self._read)
        self.breaker = Breaker()
        self.wait_s = float(shadow.setting("MIGRATE_ROUTE_WAIT_S", "2"))
        self._decisions: dict[str, Any] = {}

    def decide(self, task_id: str, kwargs: Mapping[str, Any]) -> Any:
        """The decision for a task: made once, then the same until it has ended."""
        if task_id not in self._decisions:
            path = shadow.setting("MIGRATE_ROUTE_BACK_FILE", "")
            transcript_id = str(kwargs.get("transcript_id") or "")
            room = table.room_of(kwargs.get("track_keys"))
            is_back = bool(path) and Path(path).exists()
            now = self.routes.current()
            self._decisions[task_id] = table.decide(now, transcript_id, room, is_back=is_back)
        return self._decisions[task_id]

    def forget(self, task_id: str) -> None:
        """The task has ended."""
        self._decisions.pop(task_id, None)

    def let_announce(self, task_id: str, kwargs: Mapping[str, Any]) -> bool:
        """The shadow is to hear of it: as always without a table, else by its route."""
        return bool(self.decide(task_id, kwargs).needs_announcement)

    def serve(self, task: Any, body: Callable[[], Any], kwargs: Mapping[str, Any]) -> Any:
        """Run the body, or hand the recording over; what is left undone is said in the answer."""
        try:
            decision = self.decide(task.request.id, kwargs)
        except Exception as error:  # not one of our faults may cost a recording
            shadow.note("route_errors", error)
            return body()
        if self._client is None or not kwargs.get("transcript_id"):
            return body()
        run = Handover(self, task, body, kwargs, decision)
        if not decision.is_for_conductor:
            return run.by_legacy(decision.reason)
        if decision.route == table.CONDUCTOR_FALLBACK and not self.breaker.allows():
            return run.by_legacy(claim.BREAKER_OPEN)
        return run.by_conductor()

    def _read(self) -> Any:
        return self._client.get(table.KEY) if self._client else None


class Handover:
    """One task's way to one engine."""

    def __init__(
        self, router: Router, task: Any, body: Callable[[], Any], kwargs: Mapping[str, Any],
        decision: Any,
    ) -> None:  # fmt: skip
        self.router, self.task, self.body = router, task, body
        self.kwargs, self.decision = kwargs, decision
        self.claims = router.claims
        self.transcript_id = str(kwargs["transcript_id"])
        self.task_id = task.request.id
        self.token = str(uuid.uuid4())

    def by_legacy(self, reason: str, of: str = "") -> Any:
        """Run the body under a claim, unless a workflow serves this transcript."""
        token = self.token if not of else str(uuid.uuid4())

        def take() -> Any:
            return self.claims.take_for_legacy(
                self.transcript_id, token,
                task_id=self.task_id, reason=reason, at=time.time(), of=of,
            )  # fmt: skip

        try:
            other, has_it = take(), True
        except Exception as error:  # as today: the body needs no claim
            shadow.note("unclaimed", error)
            other, has_it = None, False
        if other is not None:
            return self._second(other)
        lease = Lease(
            take,
            lambda: self.claims.renew(self.transcript_id, token),
            lambda: self._tell_kept(reason),
            has_it=has_it,
        )
        lease.start()
        try:
            return self.body()
        finally:
            lease.end()
            self._end(token, take if not lease.has_it else None)

    def by_conductor(self) -> Any:
        """Have the workflow started; with a fallback, the body runs if that takes too long.

        Without one, a start that takes longer still comes: its message stays in the queue. A
        broker that fails before it has the message leaves only the body.
        """
        has_fallback = self.decision.route == table.CONDUCTOR_FALLBACK
        try:
            other = self._ask()
        except Exception as error:  # it may have been asked all the same: take it back
            shadow.note("unasked", error)
            return self.by_legacy(f"the broker failed: {type(error).__name__}", of=self.token)
        if other is not None and other.engine == claim.LEGACY and other.task_id == self.task_id:
            why = other.reason if other.state == claim.ASKED else "this task had begun to run here"
            return self.by_legacy(why, of=other.token)
        if other is not None:
            return self._second(other)
        found = self._wait()
        is_started = self._is_started(found)
        self.router.breaker.note(is_started=is_started)
        if is_started or not has_fallback:
            return self._handed_over(found)
        why = found.refused if found is not None and found.refused else "no answer"
        return self.by_legacy(f"Conductor did not start it: {why}", of=self.token)

    def _ask(self) -> Any:
        message = {
            "transcript_id": self.transcript_id,
            "bucket_name": self.kwargs.get("bucket_name"),
            "track_keys": self.kwargs.get("track_keys"),
            "token": self.token,
            "task_id": self.task_id,
            "route": self.decision.route,
        }
        return self.claims.ask(
            self.transcript_id, self.token,
            task_id=self.task_id, route=self.decision.route, at=time.time(),
            queue=self._queue(), message=shadow.encode(claim.START, message, claim.QUEUE),
            given=json.dumps({**self._given(), **self._again()}),
        )  # fmt: skip

    def _queue(self) -> str:
        options = self.router.app.conf.broker_transport_options or {}
        return str(options.get("global_keyprefix", "") + claim.QUEUE)

    def _given(self) -> dict[str, Any]:
        return {"task": self.task.name, "kwargs": dict(self.kwargs)}

    def _again(self) -> dict[str, Any]:
        """This very task as a message, for the process that takes the transcript back."""
        where = self.task.request.delivery_info or {}
        name = str(where.get("routing_key") or "celery")
        again = shadow.encode_call(self.task.name, dict(self.kwargs), name, self.task_id)
        options = self.router.app.conf.broker_transport_options or {}
        return {"queue": options.get("global_keyprefix", "") + name, "again": again.decode()}

    def _wait(self) -> Any:
        until, found = time.monotonic() + self.router.wait_s, None
        while time.monotonic() < until:
            try:
                found = self.claims.look(self.transcript_id)
            except Exception as error:
                shadow.note("unseen", error)
            if found is not None and (self._is_started(found) or found.refused):
                break
            time.sleep(LOOK_S)
        return found

    def _is_started(self, found: Any) -> bool:
        """A workflow has it, or another task took it over: either way it is served."""
        if found is None:
            return False
        return bool(found.workflow_id) or found.token != self.token or found.state != claim.ASKED

    def _handed_over(self, found: Any) -> dict[str, Any]:
        workflow_id = found.workflow_id if found is not None else ""
        log.info("transcript %s goes to Conductor, workflow %s", self.transcript_id,
                 workflow_id or "not started yet")  # fmt: skip
        return {"route": self.decision.route, "workflow_id": workflow_id, "token": self.token}

    def _second(self, other: Any) -> dict[str, Any]:
        log.warning("transcript %s is served by %s: this task ends", self.transcript_id, other)
        if other.workflow_id:
            self._have_it_checked(other)
        return {"route": self.decision.route, "served_by": str(other),
                "workflow_id": other.workflow_id}  # fmt: skip

    def _tell_kept(self, reason: str) -> None:
        """The harness learns why this recording was not announced; outside the body's own path."""
        if self.decision.needs_announcement:
            return
        message = {"transcript_id": self.transcript_id, "route": self.decision.route,
                   "reason": reason}  # fmt: skip
        try:
            self.claims.send(self._queue(), shadow.encode(claim.KEPT, message, claim.QUEUE))
        except Exception as error:  # reconciliation finds the recording
            shadow.note("untold", error)

    def _have_it_checked(self, other: Any) -> None:
        """A workflow that was stopped ends no claim: the harness asks Conductor, not we."""
        message = {
            "transcript_id": self.transcript_id, "token": other.token,
            "workflow_id": other.workflow_id, "task_id": self.task_id, **self._given(),
        }  # fmt: skip
        try:
            self.claims.send(self._queue(), shadow.encode(claim.CHECK, message, claim.QUEUE))
        except Exception as error:  # the claim's own time ends it too, only later
            shadow.note("unchecked", error)

    def _end(self, token: str, take: Callable[[], Any] | None) -> None:
        try:
            if take is not None:  # a start that was asked for without an answer comes too late now
                take()
            self.claims.end(self.transcript_id, token)
        except Exception as error:  # the lease runs out by itself
            shadow.note("unended", error)


def replace_run(app: Any) -> None:
    """Put the decision before the pipeline's task; a worker without that task is left alone."""
    task = app.tasks.get(shadow.setting("MIGRATE_LEGACY_TASK", shadow.DEFAULT_TASK))
    if task is None or shadow.setting("MIGRATE_SHADOW_ROLE", "primary") != "primary":
        return
    original, routers = task.run, {}

    def router() -> Router:
        pid = os.getpid()  # a client does not survive a fork
        if pid not in routers:
            routers[pid] = Router(app)
        return routers[pid]

    def run(*args: Any, **kwargs: Any) -> Any:
        task_id = task.request.id
        try:
            mine = router()
        except Exception as error:  # not one of our faults may cost a recording
            shadow.note("route_errors", error)
            return original(*args, **kwargs)
        try:
            return mine.serve(task, lambda: original(*args, **kwargs), kwargs)
        finally:
            mine.forget(task_id)

    task.run = run
    shadow.may_announce = lambda task_id, given: router().let_announce(task_id, given)


def is_enabled() -> bool:
    """MIGRATE_ROUTING says so."""
    said: str = shadow.setting("MIGRATE_ROUTING", "false")
    return said.strip().lower() in {"1", "true", "yes", "on"}


def on_worker_init(sender: Any = None, **_: Any) -> None:
    """The worker (the sender) has its tasks, and has not yet built what runs them."""
    try:
        replace_run(sender.app)
    except Exception as error:
        shadow.note("route_errors", error)


if is_enabled():
    signals.worker_init.connect(on_worker_init, weak=False)

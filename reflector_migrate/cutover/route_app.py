"""The Celery app that starts live workflows: only it reads its one queue.

celery -A reflector_migrate.cutover.route_app:app worker -Q route

A message stays the broker's until its workflow is started. Its unacknowledged messages are
kept apart from Reflector's, so that they can be delivered again after seconds and not an hour.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import Celery, Task
from celery.signals import worker_ready

from reflector_migrate.errors import InputError, MigrateError
from reflector_migrate.harness import LiveHarness
from reflector_migrate.plugin.reflector_claim import CHECK, KEPT, QUEUE, START
from reflector_migrate.settings import Settings, mark_ready
from reflector_migrate.shadow.messages import until_done

log = logging.getLogger(__name__)

AGAIN_S = 30
"""After a worker died with a message; longer than any pause between two tries."""
LONGEST_PAUSE_S = 15.0
LOOK_S = 15.0
"""Between two looks for workflows that stand still."""
WATCH_S = 120.0
"""Between two looks for a regression."""
STALLED, TRIPWIRE = "migrate.route.stalled", "migrate.route.tripwire"
TRIES = 6000
"""About a day of pauses: how long Conductor may be down before recordings are lost to it."""

app = Celery("reflector_migrate.route")
_live = LiveHarness()


def config_of(settings: Settings) -> dict[str, Any]:
    """Celery's configuration: the primary's broker, and nothing else in common with it."""
    return {
        **until_done(settings),
        "task_default_queue": QUEUE,
        "broker_transport_options": {
            "visibility_timeout": AGAIN_S,
            "unacked_key": "migrate:route:unacked",
            "unacked_index_key": "migrate:route:unacked_index",
            "unacked_mutex_key": "migrate:route:unacked_mutex",
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
        },
    }


@app.on_configure.connect
def _configure(sender: Celery, **_: Any) -> None:
    sender.config_from_object(config_of(_live.current().settings))


@app.task(name=START, bind=True, max_retries=TRIES)
def start(task: Task, message: dict[str, Any]) -> None:
    """Start the workflow of a claim; again after a pause while it cannot be started."""
    from reflector_migrate.cutover.handover import Asked, hand_over, parse

    _attempt(task, lambda: hand_over(_live.current(), parse(message, Asked)))


@app.task(name=CHECK, bind=True, max_retries=TRIES)
def check(task: Task, message: dict[str, Any]) -> None:
    """Ask whether a workflow that kept a task from running was stopped."""
    from reflector_migrate.cutover.handover import Blocked, parse, take_up_if_stopped

    _attempt(task, lambda: take_up_if_stopped(_live.current(), parse(message, Blocked)))


@app.task(name=KEPT, bind=True, max_retries=TRIES)
def kept(task: Task, message: dict[str, Any]) -> None:
    """Register why a recording that legacy serves was not announced."""
    from reflector_migrate.cutover.handover import Kept, note_kept, parse

    _attempt(task, lambda: note_kept(_live.current(), parse(message, Kept)))


@app.task(name=STALLED)
def stalled() -> None:
    """Give to legacy what stands still and has a fallback."""
    from reflector_migrate.cutover.takeover import take_over_stalled

    try:
        take_over_stalled(_live.current())
    except MigrateError as error:
        log.warning("%s: not now: %s", STALLED, error.in_full)


@app.task(name=TRIPWIRE)
def tripwire() -> None:
    """Propose the way back, or take it, where Conductor does worse; call people where due."""
    from reflector_migrate.cutover.news import news
    from reflector_migrate.cutover.tripwire import watch
    from reflector_migrate.shadow.notices import send

    harness = _live.current()
    try:
        if found := watch(harness):
            log.error("a rollback is due (migrate cutover rollback): %s", found)
        send(harness, news(harness))
    except MigrateError as error:
        log.warning("%s: not now: %s", TRIPWIRE, error.in_full)


def _attempt(task: Task, work: Callable[[], object]) -> None:
    try:
        work()
    except InputError as error:
        log.error("%s: refused: %s", task.name, error.in_full)
    except MigrateError as error:
        log.warning("%s: not yet: %s", task.name, error.in_full)
        pause_s = min(2.0 ** min(task.request.retries, 10) / 2, LONGEST_PAUSE_S)
        raise task.retry(countdown=pause_s) from None


@worker_ready.connect
def _look_regularly(sender: Any, **_: Any) -> None:
    """Several starters look in turn, and find the same; each look is one scan of the claims."""
    for task, every_s in ((stalled, LOOK_S), (tripwire, WATCH_S)):
        sender.timer.call_repeatedly(every_s, task.apply_async, kwargs={"expires": every_s})
    mark_ready()

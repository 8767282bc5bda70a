"""The harness's own Celery app: dispatch, collect and report on queues of their own.

celery -A reflector_migrate.shadow.app:app worker -Q shadow,collect
celery -A reflector_migrate.shadow.app:app beat

Settings are read when the app is configured, not when it is imported: see `harness.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from celery import Celery, Task
from celery.exceptions import Reject
from celery.signals import worker_ready

from reflector_migrate.errors import InputError, MigrateError
from reflector_migrate.harness import LiveHarness
from reflector_migrate.shadow.messages import (
    ADVANCE,
    DISPATCH,
    ERASE,
    REPORT,
    SPANS,
    SWEEP,
    config_of,
    sender,
)
from reflector_migrate.shadow.process import Shadow

log = logging.getLogger(__name__)

P = ParamSpec("P")

BEATS = frozenset({SWEEP, ERASE, REPORT})
"""Tasks that beat asks for: when each last came to its end is noted."""

RETRIES = 300
"""With pauses of up to five minutes: a message waits for a day for what it needs."""

app = Celery("reflector_migrate.shadow")
_live = LiveHarness()


@app.on_configure.connect
def _configure(sender: Celery, **_: Any) -> None:
    sender.config_from_object(config_of(_live.current().settings))


def shadow() -> Shadow:
    """What this process works with, by the settings as they are now."""
    return Shadow(_live.current(), sender(app))


def behind_door(
    work: Callable[Concatenate[Shadow, P], None],
) -> Callable[Concatenate[Task, P], None]:
    """The door of every task: what passes is retried after growing pauses, within a bound.

    A message that can never be read is logged and ends. Foreign errors are shown by class
    and place alone. Where the broker refuses the retry, it still has the message, and keeps it.
    """
    from reflector_migrate.shadow.advance import FOREIGN_TRIES, pause_s, place_of

    @wraps(work)
    def run(task: Task, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            world = shadow()
            work(world, *args, **kwargs)
            if task.name in BEATS:
                world.harness.heartbeats.beat(task.name, world.now())
            return
        except InputError as error:
            log.error("%s: refused: %s", task.name, error.in_full)
            return
        except MigrateError as error:
            log.warning("%s: %s", task.name, error.in_full)
        except Exception as error:  # foreign: its text is never shown
            log.error("%s: %s", task.name, place_of(error))
            if task.request.retries >= FOREIGN_TRIES:
                return
        if task.request.retries < RETRIES:
            try:
                raise task.retry(countdown=pause_s(task.request.retries, 1.0), max_retries=RETRIES)
            except Reject as unsent:  # Celery would drop the message
                raise Reject(unsent.reason, requeue=True) from None

    return run


@app.task(name=DISPATCH, bind=True)
@behind_door
def dispatch(world: Shadow, message: dict[str, Any]) -> None:
    """A primary run has begun: claim the candidate's, once, and take it as far as it goes."""
    from reflector_migrate.shadow.advance import advance
    from reflector_migrate.shadow.announcement import parse
    from reflector_migrate.shadow.dispatcher import claim

    try:
        announcement = parse(message)
    except InputError as error:
        world.dispatches.add("", "failed", reason=error.message)
        raise
    if run := claim(world, announcement):
        advance(world, run.run_id)


def keep_spans(world: Shadow, message: dict[str, Any]) -> None:
    """Store the plugin's timings of one task. Raises InputError with the field that is wrong.

    Without what was said, if every run of the transcript was erased, as that of one not sampled.
    """
    from reflector_migrate.shadow.erase import is_erased
    from reflector_migrate.shadow.observe.timed_task import what_is_wrong

    lacking = [name for name in ("task_id", "transcript_id") if not message.get(name)]
    if wrong := f"{lacking[0]}: missing" if lacking else what_is_wrong(message):
        raise InputError(f"timings: {wrong}")
    world.harness.spans.add(message)
    if is_erased(world.harness, transcript_id := str(message["transcript_id"])):
        world.harness.spans.forget_bodies(transcript_id)  # it came after the erasing


@app.task(name=SPANS, bind=True)
@behind_door
def spans(world: Shadow, message: dict[str, Any]) -> None:
    """The plugin's timings of one task of the primary."""
    keep_spans(world, message)


@app.task(name=ADVANCE, bind=True)
@behind_door
def advance_run(world: Shadow, run_id: str, ticket: str | None = None) -> None:
    """Move one run on; a message whose ticket is no longer the run's ends at once."""
    from reflector_migrate.shadow.advance import advance

    advance(world, run_id, ticket)


@app.task(name=SWEEP, bind=True)
@behind_door
def sweep_runs(world: Shadow) -> None:
    """Send for runs that were lost with their worker or message, and give places away."""
    from reflector_migrate.shadow.advance import sweep

    sweep(world)


@app.task(name=ERASE, bind=True)
@behind_door
def erase_runs(world: Shadow) -> None:
    """Erase ended runs that nothing keeps, also when the primary deleted theirs later."""
    from reflector_migrate.shadow.erase import erase_ended

    erase_ended(world)


@app.task(name=REPORT, bind=True)
@behind_door
def nightly_report(world: Shadow, night: str | None = None) -> None:
    """Do the work of every night that is not done; or write one night's page alone."""
    from reflector_migrate.shadow.nightly.job import are_nights_due, run_nights
    from reflector_migrate.shadow.nightly.night import write_report

    if night is None:
        run_nights(world)
        if are_nights_due(world):  # the process that has the job may be dead: look again
            hint = "it is looked at again until its lease is over"
            raise MigrateError("another process does the night's work", hint=hint)
    else:
        log.info("nightly report written to %s", write_report(world.harness, night))


@worker_ready.connect
def _tell_that_we_are_ready(**_: Any) -> None:
    from reflector_migrate.settings import mark_ready

    mark_ready()

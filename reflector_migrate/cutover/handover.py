"""Starts the live workflow of a recording that the plugin has claimed for Conductor.

The plugin knows a transcript and its tracks. Everything else is read here, outside the
primary's worker. The claim's token is the run's id, so a message that is delivered twice
finds the workflow of the first, and a start that comes too late ends at its first step.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from reflector_migrate.clients.conductor_http import NotFoundError
from reflector_migrate.conductor.build import build_hash
from reflector_migrate.conductor.live_claims import claims_of
from reflector_migrate.conductor.start import start_workflow
from reflector_migrate.errors import InputError, MigrateError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Route
from reflector_migrate.pipeline.contracts import Run, Track
from reflector_migrate.plugin.reflector_claim import CONDUCTOR, Claim
from reflector_migrate.shadow.snapshot import read_rows

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)

KIND = "route"
"""Of the audit log's entries that hold a version of the routing table."""
STOPPED = "TERMINATED"
HEARD_S = 8
"""From a changed table until every worker follows it, with a margin."""
LEFT_S = 10.0
"""After which a plugin that has a fallback waits no more: if the claim stands, its worker died."""
SERVED = "served by conductor, build "
"""Begins why such a recording is not shadowed, in the register of dispatches."""
KEPT_BACK = f"route {Route.CONDUCTOR_FALLBACK}: "
"""Begins why legacy served a recording all the same."""


class Asked(BaseModel):
    """The plugin's message."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    transcript_id: str
    bucket_name: str
    track_keys: tuple[str, ...]
    token: str
    task_id: str
    route: str


class Blocked(BaseModel):
    """The plugin's message about a task that ended because a workflow had its transcript."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    transcript_id: str
    token: str
    workflow_id: str
    task_id: str
    task: str
    kwargs: dict[str, Any]


class Kept(BaseModel):
    """The plugin's message about a recording that legacy serves and the shadow does not see."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    transcript_id: str
    route: str
    reason: str


def parse(message: Mapping[str, Any], as_: type[M]) -> M:
    """The message as it must be; InputError names the field."""
    try:
        return as_.model_validate(dict(message))
    except ValidationError as invalid:
        first = invalid.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"message of the plugin: {where}: {first['msg']}") from None


def hand_over(harness: Harness, asked: Asked) -> str | None:
    """Id of the workflow that serves the claim; None if it is another's turn by now.

    Raises MigrateError where it could not be started. The claim then holds the reason, so
    that a waiting plugin falls back at once; the caller tries again as long as it is asked.
    """
    with broker_errors():
        claims = claims_of(harness)
        found = claims.look(asked.transcript_id)
    if not _is_asked(found, asked):
        log.info("transcript %s: another run serves it", asked.transcript_id)
        return None
    try:
        recording_id, workflow_id = _start(harness, asked)
    except MigrateError as error:
        with broker_errors():
            claims.note(asked.transcript_id, asked.token, refused=error.message[:200])
        raise
    with broker_errors():
        is_noted = claims.note(asked.transcript_id, asked.token, workflow_id=workflow_id)
    if not is_noted:
        _terminate(harness, workflow_id)
        return None
    harness.dispatches.add(
        recording_id, "skipped", run_id=workflow_id, reason=SERVED + build_hash()
    )
    return workflow_id


def resend_waiting(harness: Harness) -> int:
    """Announce each recording that waits for its workflow to Reflector's worker again.

    By then every worker knows the table that sends it back, and the body takes the claim. A
    workflow that begins before is named, and the body does not run. Returns how many.
    """
    with broker_errors():
        claims = claims_of(harness)
        waiting = [one for one in claims.asked() if _is_left_waiting(one)]
    for one in waiting:
        task = json.loads(one.given)
        _announce(harness, task["task"], task["kwargs"], one.task_id, HEARD_S)
        with broker_errors():
            claims.note(task["kwargs"]["transcript_id"], one.token, sent_back=str(time.time()))
    return len(waiting)


def note_kept(harness: Harness, kept: Kept) -> None:
    """Register why a recording was not announced, so that it is not counted as missing."""
    rows = read_rows(harness.settings, kept.transcript_id, ())
    why = f"route {kept.route}"
    why += f": {kept.reason[:120]}" if kept.route == Route.CONDUCTOR_FALLBACK else ""
    harness.dispatches.add(rows.recording_id, "skipped", reason=why)


def take_up_if_stopped(harness: Harness, blocked: Blocked) -> bool:
    """Whether the workflow that a task was refused for had been stopped from outside.

    Its claim is ended then, and the task is announced again. Any other end of a workflow
    ends its claim by itself.
    """
    with harness.conductor() as client:
        try:
            status = client.workflow(blocked.workflow_id, with_tasks=False)["status"]
        except NotFoundError:
            status = STOPPED
    if status != STOPPED:
        return False
    with broker_errors():
        is_ended = claims_of(harness).end(blocked.transcript_id, blocked.token)
    if is_ended:
        _announce(harness, blocked.task, blocked.kwargs, blocked.task_id, 0)
    return is_ended


def _announce(
    harness: Harness, task: str, kwargs: Mapping[str, Any], task_id: str, delay_s: int
) -> None:
    """Put a task of Reflector's into its queue again, under its own id."""
    from kombu.exceptions import OperationalError

    where = {"queue": harness.settings.reflector.queue, "countdown": delay_s, "retry": False}
    with harness.broker() as app:
        try:
            app.send_task(task, kwargs=dict(kwargs), task_id=task_id, **where)
        except OperationalError as error:
            said = f"the broker does not answer: {type(error).__name__}"
            raise ServerUnreachableError(said) from error


def serving(harness: Harness, transcript_id: str) -> Claim | None:
    """The claim on a transcript as it stands; None if there is none."""
    with broker_errors():
        return claims_of(harness).look(transcript_id)


def _is_left_waiting(found: Claim) -> bool:
    """No plugin waits for it any more, and it was not sent back before."""
    is_left = found.route == Route.CONDUCTOR or time.time() - found.at > LEFT_S
    return is_left and bool(found.given) and not found.sent_back


def workflow_of(harness: Harness, recording_id: str) -> str | None:
    """The workflow that served a recording last; None if the primary did."""
    last = harness.dispatches.last(recording_id)
    return str(last["run_id"]) if last and last["reason"].startswith(SERVED) else None


def _is_asked(found: Claim | None, asked: Asked) -> bool:
    is_its = found is not None and found.token == asked.token and found.engine == CONDUCTOR
    return is_its and not (found and found.workflow_id)


def _start(harness: Harness, asked: Asked) -> tuple[str, str]:
    rows = read_rows(harness.settings, asked.transcript_id, asked.track_keys)
    run = Run(
        run_id=asked.token,
        recording_id=rows.recording_id,
        transcript_id=asked.transcript_id,
        namespace="live",
        bucket_name=asked.bucket_name,
        room_id=rows.room_id,
    )
    keys = enumerate(asked.track_keys)
    tracks = [Track(track_index=index, s3_key=key) for index, key in keys]
    return rows.recording_id, start_workflow(harness, run, tracks)


def _terminate(harness: Harness, workflow_id: str) -> None:
    """Best effort: its first step would find the same."""
    try:
        with harness.conductor() as client:
            client.terminate(workflow_id, "another run serves this transcript")
    except MigrateError as error:
        log.warning("workflow %s was not terminated: %s", workflow_id, error.in_full)


@contextmanager
def broker_errors() -> Iterator[None]:
    """Redis errors become ServerUnreachableError."""
    import redis

    try:
        yield
    except redis.RedisError as error:
        said = f"the broker does not answer: {type(error).__name__}"
        raise ServerUnreachableError(said, hint="`migrate doctor` asks each server") from error

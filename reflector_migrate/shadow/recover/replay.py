"""Announces again what was lost on the way: reconciliation's findings, put on our own queue.

A transcript that was made for the lost run had nothing in it before, so its candidate
starts from an empty row whenever it starts. Tracks that consent has deleted by then
are gone: such a run fails with that reason, and stays in the denominator.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from kombu.exceptions import OperationalError

from reflector_migrate.errors import InputError, RefusedError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Role
from reflector_migrate.model.run_life import RunState
from reflector_migrate.shadow.announcement import Announcement, of_recording
from reflector_migrate.shadow.messages import DISPATCH, make_app
from reflector_migrate.shadow.nightly.reconciliation import GRACE, lost_between
from reflector_migrate.shadow.process import Send
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord

PIPELINE = "task_pipeline_multitrack_process"

log = logging.getLogger(__name__)


def announcements(
    harness: Harness, since: datetime, until: datetime, grace: timedelta = GRACE
) -> Iterator[Announcement]:
    """One for each lost recording of the window, as the plugin would have sent it."""
    from reflector_migrate.pipeline.rows import Rows

    lost = lost_between(harness, since, until, grace)
    rows = Rows.at(harness.settings.reflector.database_url or "")
    for one in lost:
        recording = rows.get_recording(one.recording_id)
        if recording is None:
            continue
        task_id, root_id = task_of(harness, one.transcript_id)
        known = {"task_id": task_id, "root_id": root_id, "published_at": one.created_at}
        try:
            yield of_recording(recording, one.transcript_id, **known)
        except InputError as error:  # it stays lost, and the others are announced
            log.error("recording %s cannot be announced: %s", one.recording_id, error.in_full)


def announce(harness: Harness, announcement: Announcement) -> None:
    """Put it on the dispatcher's queue; announced twice it is still one run."""
    with make_app(harness) as app:
        app.send_task(DISPATCH, args=[announcement.model_dump(mode="json")])


def require_empty_queue(harness: Harness) -> None:
    """Raise RefusedError while announcements still wait for a dispatcher: nothing is lost yet."""
    try:
        with make_app(harness) as app, app.connection_for_read() as connection:
            waiting = connection.default_channel.client.llen("shadow")
    except OperationalError as error:
        raise ServerUnreachableError(f"the broker does not answer: {error}") from None
    if waiting:
        raise RefusedError(
            f"{waiting} messages of the primary's still wait in the queue `shadow`",
            hint="start a dispatcher first: migrate worker run dispatcher",
        )


def reopen_failed(
    harness: Harness, since: datetime, until: datetime, send: Send | None = None
) -> tuple[RunRecord, ...]:
    """Open failed runs of the window again; without `send` only say which they are.

    Each goes on from what is there: its observations, its copied inputs, or the announcement.
    One whose inputs are gone cannot be opened again; an erased one only to be judged.
    """
    runs = harness.runs
    failed = tuple(
        run
        for run in runs.failed_between(since, until)
        if run.erase_at is None or _is_observed(harness, run)
    )
    if send is None:
        return failed
    opened = []
    for run in failed:
        if moved := runs.move(run, _reopened_state(run), until=now(), is_reopenable=False):
            send(moved, 0)
            opened.append(moved)
    return tuple(opened)


def _is_observed(harness: Harness, run: RunRecord) -> bool:
    """Whether both sides' accounts are stored, the candidate's of its present go."""
    kept = harness.evidence.kept(run.run_id)
    go = harness.events.times_again(run.run_id)
    return Role.PRIMARY in kept and kept.get(Role.CANDIDATE) == go


def _reopened_state(run: RunRecord) -> RunState:
    if run.workflow_id is not None:
        return RunState.SETTLING
    return RunState.CLAIMED if run.waiting_since is None else RunState.WAITING


def task_of(harness: Harness, transcript_id: str) -> tuple[str | None, str | None]:
    """The primary's task by its spans, where these arrived; else it is unknown."""
    spans: list[Mapping[str, Any]] = [
        span for span in harness.spans.of(transcript_id) if str(span.get("task")).endswith(PIPELINE)
    ]
    if not spans:
        return None, None
    return str(spans[-1]["task_id"]), spans[-1].get("root_id")

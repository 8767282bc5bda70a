"""Starts a recording's workflow, once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from reflector_migrate.clients.conductor import ConductorClient
from reflector_migrate.clients.conductor_http import NotFoundError, UnknownOutcomeError
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.conductor.progress_log import FAMILY, workflows_of
from reflector_migrate.conductor.task_domain import task_domain, task_to_domain
from reflector_migrate.conductor.wakeup import WakeupChannel
from reflector_migrate.conductor.workflows.load import PIPELINE, VERSION, VERSIONS
from reflector_migrate.conductor.workflows.step_order import FIRST
from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.contracts import Run, Track
from reflector_migrate.settings import Settings

logger = logging.getLogger(__name__)

LOOK_AGAIN_S = (0.5, 1.0, 2.0)

STRAY = "migrate: another workflow serves this run"
"""Why a second workflow of a run was terminated; it is never taken for the run's own."""


def start_workflow(
    harness: Harness,
    run: Run,
    tracks: Sequence[Track],
    before_start: Callable[[], None] = lambda: None,
) -> str:
    """Id of the one workflow of `run.run_id`; started unless there is one already.

    Correlation id is the recording's id. After a lost answer the server is
    searched before anything is started again. The open-source server ignores an
    idempotency key (its issue 1527), so the caller fences the start: `before_start`
    raises if the run is no longer this caller's, and `stop_others` ends what was
    started in between. Raises ServerUnreachableError, RefusedError (not registered, say).
    """
    with harness.conductor() as client:
        found = find_workflow(client, run) or _find_by_news(harness, client, run)
        if found is None:
            before_start()
            found = _begin(harness, client, run, tracks)
        Progress(harness).planned(run.model_copy(update={"workflow_id": found}), tracks)
    logger.info("workflow %s serves run %s", found, run.run_id)
    return found


def stop_others(harness: Harness, run: Run, workflow_id: str) -> tuple[str, ...]:
    """Terminate every other running workflow of this run; their ids. Raises MigrateError."""
    with harness.conductor() as client:
        strays = tuple(
            str(found["workflowId"])
            for found in _executions(client, run)
            if _run_id(found) == run.run_id
            and found["workflowId"] != workflow_id
            and found.get("status") in ("RUNNING", "PAUSED")
        )
        for stray in strays:
            client.terminate(stray, STRAY)
            logger.warning("workflow %s stopped: run %s has %s", stray, run.run_id, workflow_id)
    return strays


def start_request(settings: Settings, run: Run, tracks: Sequence[Track]) -> dict[str, Any]:
    """What is posted to start the workflow."""
    return {
        "name": PIPELINE,
        "version": VERSION,
        "correlationId": run.recording_id,
        "input": {
            "run": run.model_dump(mode="json"),
            "tracks": [track.model_dump(mode="json") for track in tracks],
        },
        "taskToDomain": task_to_domain(settings, run.namespace),
    }


def start_anew(
    harness: Harness, client: ConductorClient, run: Run, tracks: Sequence[Track], after_ms: int
) -> str:
    """Id of another workflow of a run, whose last one was made at `after_ms`.

    After a lost answer the server is searched for a newer one. Raises
    UnknownOutcomeError when that cannot be done either.
    """
    found = _begin(harness, client, run, tracks, after_ms)
    Progress(harness).planned(run.model_copy(update={"workflow_id": found}), tracks)
    return found


def find_workflow(client: ConductorClient, run: Run, after_ms: int = 0) -> str | None:
    """The workflow of this run, running or ended, newest first; None if there is none.

    Of those made after `after_ms` (Unix, by the server's clock), if that is given.
    A 3.15.0 without an index does not list ended workflows by correlation id;
    running ones are found there by name.
    """
    found = [w for w in _executions(client, run) if _run_id(w) == run.run_id and not _is_stray(w)]
    found = [w for w in found if _made_ms(w) > after_ms or not after_ms]
    return str(max(found, key=_made_ms)["workflowId"]) if found else None


def _find_by_news(harness: Harness, client: ConductorClient, run: Run) -> str | None:
    """The newest workflow of this run that told of its own progress and is still known.

    So that a starter that died before it stored the id starts nothing a second time, where the
    server lists no ended workflow.
    """
    for workflow_id in workflows_of(harness.events.of(run.run_id, family=FAMILY)):
        for workflow in _existing(client, workflow_id):
            if _run_id(workflow) == run.run_id and not _is_stray(workflow):
                return workflow_id
    return None


def _begin(
    harness: Harness,
    client: ConductorClient,
    run: Run,
    tracks: Sequence[Track],
    after_ms: int = 0,
) -> str:
    found = _start_once(client, start_request(harness.settings, run, tracks), run, after_ms)
    WakeupChannel(harness, task_domain(harness.settings, run.namespace)).ring(FIRST)
    return found


def _start_once(
    client: ConductorClient, request: dict[str, Any], run: Run, after_ms: int = 0
) -> str:
    try:
        return client.start(request)
    except UnknownOutcomeError as lost:
        try:
            return _search(client, run, after_ms) or client.start(request)
        except ServerUnreachableError:  # who cannot look does not know either
            raise lost from None


def _search(client: ConductorClient, run: Run, after_ms: int) -> str | None:
    for wait_s in LOOK_AGAIN_S:
        time.sleep(wait_s)
        if found := find_workflow(client, run, after_ms):
            return found
    return None


def _executions(client: ConductorClient, run: Run) -> Iterator[dict[str, Any]]:
    seen = set()
    for workflow in client.correlated(PIPELINE, run.recording_id):
        seen.add(workflow["workflowId"])
        yield workflow
    for workflow_id in (i for version in VERSIONS for i in client.running(PIPELINE, version)):
        if workflow_id not in seen:
            yield from _existing(client, workflow_id)


def _existing(client: ConductorClient, workflow_id: str) -> Iterator[dict[str, Any]]:
    try:
        yield client.workflow(workflow_id, with_tasks=False)
    except NotFoundError:
        return


def _is_stray(workflow: dict[str, Any]) -> bool:
    return str(workflow.get("reasonForIncompletion") or "").startswith(STRAY)


def _made_ms(workflow: dict[str, Any]) -> int:
    return int(workflow.get("createTime") or 0)


def _run_id(workflow: dict[str, Any]) -> str | None:
    run = (workflow.get("input") or {}).get("run") or {}
    found = run.get("run_id")
    return str(found) if found is not None else None

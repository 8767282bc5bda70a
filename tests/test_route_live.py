"""A recording that is routed to Conductor: real worker, broker, starter, Conductor, services."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.live_claims import claims_of
from reflector_migrate.cutover.handover import workflow_of
from reflector_migrate.cutover.routes import change
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.experiments.secondary import start
from reflector_migrate.harness import Harness
from reflector_migrate.model.primary_task import PIPELINE_TASK
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.plugin.reflector_claim import ENDED, Claim
from reflector_migrate.plugin.reflector_route_table import Table
from reflector_migrate.sandbox.recordings import FixtureRecording, load_recording
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


def until(is_so: Callable[[], Any], timeout_s: float, about: object = "") -> Any:
    """What it answers, once that is true."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.1)
    shown = about.read_text()[-3000:] if isinstance(about, Path) else about
    raise AssertionError(f"not within {timeout_s:.0f} s: {shown}")


def claim_on(settings: Settings, recording: FixtureRecording) -> Claim | None:
    """The claim on its transcript, if it has one by now."""
    row = Rows.at(str(settings.reflector.database_url)).transcript_of(recording.recording_id)
    return claims_of(Harness.of(settings)).look(row.id) if row else None


def served(settings: Settings, recording: FixtureRecording) -> dict[str, Any]:
    """What listeners and receivers got of a transcript that has ended, once all of it is there."""
    rows = Rows.at(str(settings.reflector.database_url))

    def has_ended() -> bool:
        claim, row = claim_on(settings, recording), rows.transcript_of(recording.recording_id)
        return bool(claim and claim.state == ENDED and row and row.status == "ended")

    until(has_ended, 240, claim_on(settings, recording))
    row = rows.transcript_of(recording.recording_id)
    assert row is not None
    with StandinControl(str(settings.sandbox.control_url)) as control:
        hooks = until(lambda: [w for w in control.webhooks() if row.id in w["body"]], 60)
        messages = [m for m in control.zulip_messages() if row.id in m["content"]]
    workflow_id = workflow_of(Harness.of(settings), recording.recording_id)
    with connected(settings) as client:
        workflow = client.workflow(str(workflow_id))
    until(lambda: status_of(settings, str(workflow_id)) == "COMPLETED", 60)
    return {"row": row, "webhooks": hooks, "messages": messages, "workflow": workflow}


def status_of(settings: Settings, workflow_id: str) -> str:
    """A workflow's status."""
    with connected(settings) as client:
        return str(client.workflow(workflow_id, with_tasks=False)["status"])


def put(settings: Settings, route: str) -> None:
    """Every recording takes that route, and every worker follows."""
    change(Harness.of(settings), Table(0, route), "ana", "a test")
    time.sleep(5.5)


def test_a_routed_recording_is_served_by_one_live_workflow(routed: Sandbox) -> None:
    """Row, message and webhook for real, once; a second announcement names the workflow."""
    settings = routed.settings
    recording = load_recording(settings.sandbox.recordings, "three-voices")
    set_stage(Harness.of(settings), recording)
    put(settings, "conductor")
    start(settings, recording)
    claim = until(lambda: (c := claim_on(settings, recording)) and c.workflow_id and c, 90)
    row = Rows.at(str(settings.reflector.database_url)).transcript_of(recording.recording_id)
    assert row is not None
    with Celery(broker=settings.reflector.broker_url, set_as_current=False) as app:
        app.conf.result_backend = settings.reflector.broker_url
        bucket, keys = settings.reflector.tracks_bucket, list(recording.all_keys)
        given = {"transcript_id": row.id, "bucket_name": bucket, "track_keys": keys}
        second = app.send_task(PIPELINE_TASK, kwargs=given).get(timeout=60)
    found = served(settings, recording)
    assert second["served_by"] == f"workflow {claim.workflow_id}"
    assert found["workflow"]["workflowId"] == claim.workflow_id
    assert found["workflow"]["input"]["run"]["namespace"] == "live"
    assert (found["row"].status, bool(found["row"].title)) == ("ended", True)
    assert (len(found["webhooks"]), len(found["messages"])) == (1, 1)


def test_a_worker_killed_between_claim_and_start_loses_nothing(routed: Sandbox) -> None:
    """Its message is in the queue: the starter that comes later starts the one workflow."""
    settings = routed.settings
    recording = load_recording(settings.sandbox.recordings, "zero-start")
    set_stage(Harness.of(settings), recording)
    put(settings, "conductor+fallback")
    routed.kill("starter")
    start(settings, recording)
    until(lambda: claim_on(settings, recording), 60)  # it waits for a starter, for 2 s
    routed.kill("legacy")
    routed.restart("starter")
    found = served(settings, recording)
    routed.restart("legacy")
    assert found["row"].status == "ended"
    assert (len(found["webhooks"]), len(found["messages"])) == (1, 1)

"""Live against legacy column by column, and a stream in which Conductor dies: real servers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import threading
import time
from typing import Any

import pytest

from reflector_migrate.clients.connections import connections
from reflector_migrate.conductor.live_claims import claims_of
from reflector_migrate.cutover.handover import workflow_of
from reflector_migrate.cutover.routes import change
from reflector_migrate.experiments.failover import copies, run_stream
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.experiments.secondary import start
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows, TranscriptRow
from reflector_migrate.plugin.reflector_claim import ENDED
from reflector_migrate.plugin.reflector_route_table import Table
from reflector_migrate.sandbox.recordings import FixtureRecording, load_recording
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from tests.parity_world import Ear, fixed

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

OWN = re.compile(r"^(id|transcript_id|zulip_message_id|created_at|event_id|timestamp)$")
"""Of a run alone: another run of the same recording has others."""
IN_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
DATE = re.compile(r"<time:[^>]*>")
"""In a message: when its transcript was made."""
FALLBACK = Table(0, "conductor+fallback")


def put(settings: Settings, table: Table) -> None:
    """Change the routes, and wait until every worker follows."""
    change(Harness.of(settings), table, "ana", "a test")
    time.sleep(5.5)


def until(is_so: Any, timeout_s: float = 240) -> Any:
    """What it answers once that is true."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {timeout_s:.0f} s")


def left_by_a_run(settings: Settings, recording: FixtureRecording) -> dict[str, Any]:
    """All that one run of it leaves, without the ids that each run has of its own."""
    set_stage(Harness.of(settings), recording)
    with StandinControl(str(settings.sandbox.control_url)) as control:
        before = len(control.webhooks()), len(control.zulip_messages())
    ear, rows = Ear(settings.reflector.bus_url), Rows.at(str(settings.reflector.database_url))
    start(settings, recording)
    row = until(
        lambda: (r := rows.transcript_of(recording.recording_id)) and r.status == "ended" and r
    )
    until(lambda: (c := claims_of(Harness.of(settings)).look(row.id)) and c.state == ENDED)
    with StandinControl(str(settings.sandbox.control_url)) as control:
        until(lambda: len(control.webhooks()) > before[0], 60)
        hooks, posts = control.webhooks()[before[0] :], control.zulip_messages()[before[1] :]
    row = rows.get_transcript(row.id)
    messages = ear.told(row.id)
    ear.close()
    assert True not in messages
    kept = rows.get_recording(recording.recording_id)
    assert kept is not None
    return _plain(
        row.id,
        {
            "transcript": {f.name: getattr(row, f.name) for f in dataclasses.fields(TranscriptRow)},
            "recording": dataclasses.asdict(kept),
            "objects": _objects(settings, row.id),
            "files": _files(settings, row.id),
            "told": [fixed([said for c, said in messages[False] if c.startswith(name)])
                     for name in ("ts:", "user:")],
            "webhooks": [json.loads(hook["body"]) for hook in hooks],
            "messages": [dict(post) for post in posts],
        },
    )  # fmt: skip


def _objects(settings: Settings, name: str) -> dict[str, str]:
    """Key and content of each object of the transcript, and the tracks that are still there."""
    s3, found = connections(settings).s3, {}
    places = [(settings.reflector.media_bucket, f"{name}/"),
              (settings.reflector.media_bucket, f"file_pipeline/{name}/"),
              (settings.reflector.tracks_bucket, "")]  # fmt: skip
    for bucket, prefix in places:
        for one in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ()):
            body = s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            found[f"{bucket}/{one['Key']}"] = hashlib.sha256(body).hexdigest()
    return found


def _files(settings: Settings, name: str) -> dict[str, str]:
    """Path and content of each local file of the transcript."""
    folder = settings.reflector.data_dir / name
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def _plain(name: str, value: Any) -> Any:
    """The same without a run's own ids and times, races in one order."""
    if isinstance(value, dict):
        return {
            k.replace(name, "T"): "-" if OWN.match(k) else _plain(name, v) for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(name, one) for one in fixed(list(value))]
    text = str(value).replace(name, "T") if isinstance(value, str) else value
    return IN_TEXT.sub("-", DATE.sub("-", text)) if isinstance(text, str) else text


def test_a_live_run_leaves_what_a_legacy_run_leaves(routed: Sandbox) -> None:
    """Every column, event, object, file, broadcast, message and webhook of the same recording."""
    settings = routed.settings
    recording = load_recording(settings.sandbox.recordings, "three-voices")
    put(settings, Table(0, "celery"))
    legacy = left_by_a_run(settings, recording)
    put(settings, Table(0, "conductor"))
    live = left_by_a_run(settings, recording)
    assert workflow_of(Harness.of(settings), recording.recording_id) is not None
    assert [key for key in legacy if live[key] != legacy[key]] == []
    assert len(live["messages"]) == len(live["webhooks"]) == 1
    assert len(live["transcript"]["events"]) > 5
    assert live["objects"]


def test_a_stream_survives_conductors_death_and_two_switches(routed: Sandbox) -> None:
    """All end right, none twice, none lost: whichever engine has each of them in the end."""
    settings = routed.settings
    solo = load_recording(settings.sandbox.recordings, "solo")
    put(settings, Table(0, "celery"))
    (like,) = copies(solo, 1, "like")
    assert run_stream(
        Harness.of(settings), [like], lambda _n: None, like=like, timeout_s=120
    ).is_right
    put(settings, FALLBACK)
    rebirth = threading.Thread(target=routed.restart, args=("conductor",))

    def disturb(number: int) -> None:
        if number == 2:
            until(lambda: any(claims_of(Harness.of(settings)).begun(time.time())), 60)
            routed.kill("conductor")
        elif number == 3:
            put(settings, Table(0, "celery"))
            put(settings, FALLBACK)
            rebirth.start()

    found = run_stream(
        Harness.of(settings), copies(solo, 5, "stream"), disturb, like=like, timeout_s=400
    )
    rebirth.join()
    assert found.is_right, str(found)
    assert found.by_engine["celery"] >= 1

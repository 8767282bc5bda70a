"""Synthetic recordings on PostgreSQL: what the two engines leave is equal field by field.

Several at once, as a deployment would have them; on SQLite the same is asked of all of them in
test_e2e_recordings.py, and on both databases without an engine in test_pipeline_parity.py. The
answers of the services are fixed: with noise off a stand-in gives the same to the same question.

Then the four runs of the real pipeline that were recorded: their answers are replayed to
both engines, and what both leave is what the real one wrote.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.execution import read
from reflector_migrate.conductor.start import start_request
from reflector_migrate.conductor.workflows.load import PIPELINE, workflow_definition
from reflector_migrate.harness import Harness
from reflector_migrate.model import Usage, Verdict
from reflector_migrate.pipeline.contracts import Run, Track
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.pipeline.rows import Rows, fill_run_tables, snapshot
from reflector_migrate.sandbox.recordings import load_recordings
from reflector_migrate.sandbox.servers.postgres import PostgresServer
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl, recorded_answers
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.snapshot import CLEAN
from reflector_migrate.store.cache import TaskCache
from tests.encoder import assert_same_waveform
from tests.legacy_world import PROCESS, REFLECTOR, RUNS, SERVICES, Replayed, plain, stage
from tests.parity_live import Judged, following, run_all
from tests.parity_world import Ear, differences, fixed
from tests.test_legacy_replay import COLUMNS

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[1] / "fixtures/recordings"
RECORDINGS = load_recordings(ROOT)
NAMES = ("broken-track", "consent-denied", "reprocess", "solo", "three-voices")
PRICE = {
    "since": "2026-01-01",
    "gpu_second": 306,
    "llm_tokens_in_million": 70_000,
    "llm_tokens_out_million": 140_000,
    "s3_gib": 90_000,
    "s3_requests_million": 400_000,
}
BASE = Settings.model_validate(
    {"sandbox": {"start_timeout_s": 240.0, "keeps_refused": True}, "prices": [PRICE]}
)


@pytest.fixture(scope="module")
def on_postgres(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """The whole sandbox with its store and both sides' rows on PostgreSQL."""
    create = postgres_server.create_database
    changes = {
        "store": {"url": create()},
        "reflector": {"database_url": create(), **REFLECTOR},
        "candidate": {"database_url": create()},
        "services": SERVICES,
    }
    folder = tmp_path_factory.mktemp("on-postgres")
    with Sandbox(BASE, folder, shadow=True, changes=changes) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def ran(on_postgres: Sandbox) -> dict[str, Judged | Exception]:
    """Each recording, once."""
    return run_all(on_postgres.settings, NAMES, timeout_s=600)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_differs(ran: dict[str, Judged | Exception], name: str) -> None:
    """Row, events, captions, media, objects, Zulip, webhook, broadcasts; the verdict agrees."""
    found = ran[name]
    assert isinstance(found, Judged), found
    assert differences(found, is_cut_short=RECORDINGS[name].expect.failed_step == "pad_track") == []
    assert found.comparison.verdict is Verdict.MATCHED


@pytest.mark.parametrize("name", NAMES)
def test_both_sides_are_priced(ran: dict[str, Judged | Exception], name: str) -> None:
    """The collector fills in what each cost, at the configured price; the cache explains less.

    What an attempt used that began, did not complete and told nothing is unknown, and so is
    then the side's cost; only a run that failed has such attempts.
    """
    found = ran[name]
    assert isinstance(found, Judged), found
    assert found.comparison.primary.cost_microdollars is not None
    undone = (s for s in found.candidate.steps if s.status != "completed" and s.started)
    is_unknown = any(step.usage == Usage() for step in undone)
    assert (found.comparison.candidate.cost_microdollars is None) is is_unknown
    assert not is_unknown or RECORDINGS[name].expect.failed_step is not None


def test_a_workflow_that_times_out_ends_in_status_error(
    ran: dict[str, Judged | Exception], on_postgres: Sandbox
) -> None:
    """The server gives it up as a whole: column, event and broadcasts are those of a failure."""
    earlier, settings = ran["solo"], on_postgres.settings
    assert isinstance(earlier, Judged), earlier
    transcript_id = earlier.transcript_id
    run_id = uuid.uuid4().hex
    copied = snapshot(Rows.at(settings.reflector.database_url or ""), earlier.recording_id)
    fill_run_tables(settings.candidate.database_url or "", run_id, copied, **CLEAN)
    run = Run(
        run_id=run_id,
        recording_id=earlier.recording_id,
        transcript_id=transcript_id,
        namespace="shadow",
        bucket_name=place_of_run(settings, run_id).tracks_bucket,
    )
    impatient = workflow_definition(PIPELINE, settings) | {"timeoutSeconds": 3}
    ear = Ear(settings.candidate.bus_url)
    with (
        StandinControl(settings.sandbox.control_url or "") as control,
        connected(settings) as client,
    ):
        control.set_fault("daily", "slow", latency_s=6.0)
        request = start_request(settings, run, [Track(track_index=0, s3_key="k")])
        workflow_id = client.start(request | {"workflowDef": impatient})
        row = Rows.at(place_of_run(settings, run_id).database_url)
        until(lambda: read(Harness.of(settings), workflow_id).status == "timed_out")
        until(lambda: row.get_transcript(transcript_id).status == "error")
        control.clear_faults()
    assert row.get_transcript(transcript_id).events == [
        {"event": "STATUS", "data": {"value": "error"}}
    ]
    told = [(m["event"], m["data"]["value"]) for _, m in ear.told(transcript_id)[True]]
    ear.close()
    assert told == [
        (event, value)
        for value in ("processing", "error")
        for event in ("STATUS", "TRANSCRIPT_STATUS")
    ]


def until(is_so: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


Recorded = tuple[Replayed, Judged]


@pytest.fixture(scope="module", params=["good", "zero-start", "denied-consent", "recogniser-error"])
def again(
    request: pytest.FixtureRequest, ran: dict[str, Judged | Exception], on_postgres: Sandbox
) -> Recorded:
    """A recorded run, run again by both engines, and what there is to hold them to."""
    del ran  # replayed answers are for these runs alone
    run = stage(on_postgres, request.param)
    answers = recorded_answers(RUNS / request.param)
    if request.param == "recogniser-error":  # legacy never asked about the second track
        answers["recogniser"].append({"match": ["padded_1."], "status": 500})
    settings = on_postgres.settings
    TaskCache(settings.store_url, settings.cache.ttl_s, settings.cache.max_entries).clear()
    run.control.replay(**answers)
    with following(on_postgres.settings, timeout_s=300) as follow:
        scenario = run.scenario
        about = {"daily_room_name": scenario["room"], "track_keys": scenario["keys"]}
        run.send(PROCESS, bucket_name="daily-tracks", recording_id=run.recording_id, **about)
        found = follow(run.recording_id)
    run.control.reset()
    assert isinstance(found, Judged), found
    return run, found


def test_nothing_differs_on_a_recorded_run(again: Recorded) -> None:
    """Field by field, leftovers of the failed run included; an outage of both concludes nothing."""
    recorded, found = again
    is_outage = recorded.name == "recogniser-error"
    assert differences(found) == []
    assert found.comparison.verdict is (Verdict.INCONCLUSIVE if is_outage else Verdict.MATCHED)


def test_both_rows_are_what_the_real_pipeline_wrote(again: Recorded) -> None:
    """Every column, topics and events in their order, on either side."""
    recorded, found = again
    for row in found.rows():
        for column in COLUMNS:
            assert getattr(row, column) == recorded.wanted[column], column
        assert plain(row.topics) == plain(recorded.wanted["topics"])
        mine, theirs = fixed(row.events), fixed(recorded.wanted["events"])
        drawn = [[e for e in events if e["event"] == "WAVEFORM"] for events in (mine, theirs)]
        told = [[e for e in events if e["event"] != "WAVEFORM"] for events in (mine, theirs)]
        assert [e["event"] for e in mine] == [e["event"] for e in theirs]
        assert plain(told[0]) == plain(told[1])
        assert_same_waveform(*(events[0]["data"]["waveform"] for events in drawn))


def test_both_buses_carried_what_the_real_one_did(again: Recorded) -> None:
    """`processing` first, `ended` or `error` last, on the transcript's and the owner's channel."""
    recorded, found = again
    lines = (RUNS / recorded.name / "pubsub.jsonl").read_text().splitlines()
    wanted = [json.loads(line) for line in lines if line]
    for side in (False, True):
        heard = [{"channel": c, "message": m} for c, m in found.messages[side]]
        for kind in ("ts:", "user:"):
            mine = [m["message"] for m in recorded.renamed(heard) if m["channel"].startswith(kind)]
            theirs = [m["message"] for m in plain(wanted) if m["channel"].startswith(kind)]
            assert fixed(mine) == fixed(theirs), (side, kind)


def test_both_would_send_what_the_real_one_sent(again: Recorded) -> None:
    """Zulip's text and the webhook's payload, or nothing at all after a failure."""
    recorded, found = again
    posts, hooks = recorded.calls("zulip"), recorded.calls("webhook")
    for side in (found.primary, found.candidate):
        effects = side.effects
        sent = [e.payload for e in effects if e.kind == "zulip_message"]
        mine = [{k: payload[k] for k in ("topic", "content")} for payload in sent]
        theirs = [{k: call["body"][k] for k in ("topic", "content")} for call in posts]
        assert recorded.renamed(mine) == plain(theirs)
        bodies = [json.loads(e.payload["body"]) for e in effects if e.kind == "webhook"]
        clock = {"event_id": "", "timestamp": ""}
        assert recorded.renamed([body | clock for body in bodies]) == plain(
            [call["body"] | clock for call in hooks]
        )
        if recorded.name == "recogniser-error":
            kinds = {effect.kind for effect in effects} - {"local_put"}  # what stays where it is
            assert kinds == {"s3_put"}

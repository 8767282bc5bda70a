"""In the live namespace things really happen, and each of them once."""

from __future__ import annotations

import json

import pytest
import redis

from reflector_migrate.conductor.progress import Progress
from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.harness import Harness
from reflector_migrate.model import spec_of
from reflector_migrate.pipeline.rows import tables
from reflector_migrate.pipeline.runner import run_step
from reflector_migrate.pipeline.services.storage import Storage
from reflector_migrate.settings import ServicesSettings
from reflector_migrate.store.artifacts import Artifacts
from reflector_migrate.store.canonical_json import sha256_of
from tests.pipeline_world import make_world
from tests.recorded_world import RUNS
from tests.sources_world import put_tracks

pytestmark = pytest.mark.heavy


@pytest.fixture
def world(s3_url, control, tmp_path):
    """A finished transcript in the live namespace; nothing was sent yet."""
    world = make_world(tmp_path, s3_url, control, namespace="live", has_tracks=False)
    recorded = world.recorded
    told = (
        "title",
        "short_summary",
        "long_summary",
        "topics",
        "participants",
        "duration",
        "webvtt",
    )
    columns = {name: recorded[name] for name in told}
    world.rows.update_transcript(world.run.transcript_id, status="ended", **columns)
    return world


def tell(world, name, **more):
    """Run post_zulip or send_webhook."""
    return world.step(name, transcript_id=world.run.transcript_id, **more).output


def methods(world):
    """What Zulip was asked, in order."""
    return [r["method"] for r in world.control.requests("zulip")]


def test_zulip_gets_one_message_however_often_the_step_runs(world):
    """One message, its id in the row, no call at all from the second time on."""
    first = tell(world, "post_zulip")
    assert first == tell(world, "post_zulip")
    assert world.row.zulip_message_id == first["message_id"]
    assert methods(world) == ["POST"]


def test_zulip_is_looked_through_after_a_lost_answer(world):
    """Posted, but the answer was lost: the message is found by its link, not posted again."""
    world.control.set_fault("zulip", "lost_answer", times=1)
    with pytest.raises(TransientStepError):
        tell(world, "post_zulip")
    done = tell(world, "post_zulip")
    (message,) = world.control.zulip_messages()
    assert done["message_id"] == message["id"] == world.row.zulip_message_id
    assert methods(world) == ["POST", "GET", "PATCH"]


def test_zulip_is_posted_again_when_it_never_arrived(world):
    """A 500 without effect: looked for in vain, then posted."""
    world.control.set_fault("zulip", "http_500", times=1)
    with pytest.raises(TransientStepError):
        tell(world, "post_zulip")
    tell(world, "post_zulip")
    assert len(world.control.zulip_messages()) == 1
    assert methods(world) == ["POST", "GET", "POST"]


def test_a_later_run_changes_the_message_in_its_place(world):
    """A new run has a new text for the same message, and the id stays."""
    first = tell(world, "post_zulip")
    world.run_id = "run-2"
    world.rows.update_transcript(world.run.transcript_id, title="Another Title")
    assert tell(world, "post_zulip") == first
    (message,) = world.control.zulip_messages()
    assert "# Reflector – Another Title" in message["content"]


def test_a_message_that_is_gone_is_posted_again(world):
    """The update is refused, so a new message takes its place, as with legacy."""
    world.rows.update_transcript(world.run.transcript_id, zulip_message_id=4711)
    done = tell(world, "post_zulip")
    assert methods(world) == ["PATCH", "POST"]
    assert world.row.zulip_message_id == done["message_id"] != 4711


def test_the_monolith_posts_again_after_any_failed_update(world):
    """Nothing retries it: even a passing failure means a new message."""
    world.rows.update_transcript(world.run.transcript_id, zulip_message_id=4711)
    world.control.set_fault("zulip", "http_500", times=1)
    world.as_monolith("post_zulip", transcript_id=world.run.transcript_id)
    assert methods(world) == ["PATCH", "POST"]


def test_a_zulip_that_refuses_is_hopeless(world):
    """A wrong key is not tried again."""
    world.control.set_fault("zulip", "http_4xx", status=401)
    with pytest.raises(TerminalStepError, match="zulip answered HTTP 401"):
        tell(world, "post_zulip")


def test_a_room_that_wants_nothing_is_left_alone(world):
    """No call, and the output says why."""
    with world.rows.engine.begin() as connection:
        connection.execute(tables.room.update().values(zulip_auto_post=False, webhook_url=None))
    assert tell(world, "post_zulip")["reason"] == "not wanted"
    assert tell(world, "send_webhook")["reason"] == "no webhook"
    assert methods(world) == [] == world.control.webhooks()


def test_the_webhook_keeps_its_event_id_over_retries(world):
    """500, then 200: the same event, another attempt, a new signature; then never again."""
    world.control.set_webhook_status("hook", 500, times=1)
    with pytest.raises(TransientStepError, match="webhook answered HTTP 500"):
        tell(world, "send_webhook")
    done = tell(world, "send_webhook", attempt=1)
    assert tell(world, "send_webhook", attempt=2) == done
    first, second = world.control.webhooks()
    assert [d["headers"]["x-webhook-retry"] for d in (first, second)] == ["0", "1"]
    events = {json.loads(d["body"])["event_id"] for d in (first, second)}
    assert events == {done["event_id"]}
    assert done["sent"] is True
    assert done["status_code"] == 200


def test_another_content_is_another_event(world):
    """A rerun that changed the title: posted again, under an id that its retries keep."""
    first = tell(world, "send_webhook")
    world.rows.update_transcript(world.run.transcript_id, title="Another")
    world.control.set_webhook_status("hook", 500, times=1)
    with pytest.raises(TransientStepError):
        tell(world, "send_webhook")
    second = tell(world, "send_webhook", attempt=1)
    assert tell(world, "send_webhook") == second
    bodies = [json.loads(w["body"]) for w in world.control.webhooks()]
    ids = [first["event_id"], second["event_id"], second["event_id"]]
    assert [body["event_id"] for body in bodies] == ids
    assert len(set(ids)) == 2
    assert bodies[-1]["transcript"]["title"] == "Another"


def test_another_content_after_a_lost_answer_is_another_event(world):
    """The receiver may have the first one: back at the old title it is a third."""
    title = world.row.title
    for attempt, told in enumerate((title, "Another", title)):
        world.rows.update_transcript(world.run.transcript_id, title=told)
        world.control.set_fault("webhook", "lost_answer", times=1)
        with pytest.raises(TransientStepError):
            tell(world, "send_webhook", attempt=attempt)
    done = tell(world, "send_webhook", attempt=3)
    bodies = [json.loads(w["body"]) for w in world.control.webhooks()]
    contents = {body["event_id"]: body["transcript"]["title"] for body in bodies}
    assert list(contents.values()) == [title, "Another", title]
    assert [body["event_id"] for body in bodies] == [*contents, done["event_id"]]
    assert done["event_id"] == list(contents)[-1]


@pytest.mark.parametrize("has_changed", [False, True])
def test_a_run_of_an_older_build_keeps_to_what_it_published(world, has_changed):
    """It kept status and digest, and had one id: unchanged nothing is sent, changed a next id."""
    ours = tell(world, "send_webhook")
    (sent,) = world.control.webhooks()
    digest = sha256_of({**json.loads(sent["body"]), "timestamp": ""})
    store = Artifacts(world.settings.store_url)
    store.erase(world.run_id)
    store.put(world.run_id, "effects", "webhook/done", {"digest": digest, "status": 200})
    if has_changed:
        world.rows.update_transcript(world.run.transcript_id, title="Another")
    Progress(Harness.of(world.settings)).again(world.run_id, "wf-1", from_step="send_webhook")
    again = tell(world, "send_webhook")
    assert (again["sent"], again["event_id"] != ours["event_id"]) == (True, has_changed)
    assert len(world.control.webhooks()) == 1 + has_changed


@pytest.mark.parametrize("status", [200, 404])
def test_what_was_refused_is_delivered_when_the_run_goes_again(world, status):
    """The receiver is mended and the run rerun: only who never had the event gets it, once."""
    world.control.set_webhook_status("hook", status, times=1)
    first = tell(world, "send_webhook")
    Progress(Harness.of(world.settings)).again(world.run_id, "wf-1", from_step="send_webhook")
    done = tell(world, "send_webhook")
    assert done == tell(world, "send_webhook", attempt=1)
    assert (done["sent"], done["status_code"]) == (True, 200)
    assert done["event_id"] == first["event_id"]
    assert len(world.control.webhooks()) == (1 if status == 200 else 2)


@pytest.mark.parametrize("status", [400, 404, 408, 409, 410, 425, 429])
def test_a_webhook_that_refuses_is_not_a_failure_and_not_asked_again(world, status):
    """The receiver's 4xx is its last word, and the transcript is fine."""
    world.control.set_webhook_status("hook", status)
    done = tell(world, "send_webhook")
    assert done == tell(world, "send_webhook", attempt=1)
    assert (done["sent"], done["status_code"]) == (False, status)
    assert len(world.control.webhooks()) == 1


@pytest.mark.parametrize(
    ("service", "name"), [("zulip", "post_zulip"), ("webhook", "send_webhook")]
)
def test_a_slow_peer_is_waited_for_with_signs_of_life(world, service, name):
    """Else the server gives the attempt up while its message is on the way, and two are sent."""
    world.control.set_fault(service, "slow", times=1, latency_s=1.5)
    beats = []
    raw = {"run": world.run.model_dump(), "transcript_id": world.run.transcript_id}
    run_step(name, raw, Harness.of(world.settings), heartbeat=lambda: beats.append(1))
    assert len(beats) >= 2
    assert len(world.control.requests(service)) == 1


def test_zulip_is_called_no_oftener_than_fits_into_the_steps_time(world):
    """The longest way: a message that is gone, one that is found and refused, a new one."""
    world.control.set_fault("zulip", "lost_answer", times=1)
    with pytest.raises(TransientStepError):
        tell(world, "post_zulip")
    world.rows.update_transcript(world.run.transcript_id, zulip_message_id=4711)
    found = world.control.zulip_messages()[0]["id"]
    world.control.set_fault("zulip", "http_4xx", match=f"/messages/{found}")
    before = len(methods(world))
    tell(world, "post_zulip")
    longest = methods(world)[before:]
    assert longest == ["PATCH", "GET", "PATCH", "POST"]
    (bound,) = [m.le for m in ServicesSettings.model_fields["zulip_timeout_s"].metadata]
    assert len(longest) * bound < spec_of("post_zulip").timeout_s


@pytest.mark.parametrize("kind", ["connection_reset", "timeout"])
def test_a_webhook_that_hangs_or_breaks_is_worth_a_retry(world, kind):
    """A failed answer may succeed next time."""
    services = world.settings.services.model_copy(update={"webhook_timeout_s": 0.3})
    world.settings = world.settings.model_copy(update={"services": services})
    world.control.set_fault("webhook", kind)
    with pytest.raises(TransientStepError, match="webhook"):
        tell(world, "send_webhook")


def test_refused_consent_really_deletes(s3_url, control, tmp_path):
    """Raw tracks with the screen's, the mixed audio and its local copy are gone."""
    world = make_world(
        tmp_path, s3_url, control, scenario="denied-consent", namespace="live", is_brief=True
    )
    world.whole()
    assert world.keys("daily-tracks") == world.keys("reflector-media") == []
    assert not (world.settings.reflector.data_dir / world.run.transcript_id / "audio.mp3").exists()
    assert (world.settings.reflector.data_dir / world.run.transcript_id / "audio.json").exists()
    assert world.row.audio_deleted is True
    assert world.effects() == []


def test_audio_that_could_not_be_deleted_is_never_called_deleted(world, monkeypatch):
    """One failed deletion: the others are done, the flag stays, and an engine tries again."""
    put_tracks(world, RUNS / "good", is_brief=True)
    meeting = world.row.meeting_id
    world.rows.insert_consent(meeting_id=meeting, user_id="bob", consent_given=True)
    world.rows.insert_consent(meeting_id=meeting, user_id="alice", consent_given=False)
    stuck, real = world.scenario["keys"][0], Storage.delete

    def delete(self, target):
        if target.endswith(stuck):
            raise TransientStepError("S3 answered SlowDown")
        real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "delete", delete)
        with pytest.raises(TransientStepError, match="1 objects are still there"):
            tell(world, "cleanup_consent")
        transcript_id = world.run.transcript_id
        as_legacy = world.as_monolith("cleanup_consent", transcript_id=transcript_id).output
    assert as_legacy["audio_deleted"] is False
    assert world.row.audio_deleted is None
    assert world.keys("daily-tracks") == [stuck]
    assert tell(world, "cleanup_consent")["audio_deleted"] is True
    assert world.row.audio_deleted is True


@pytest.fixture
def heard(redis_server, world):
    """The world on a real bus, and a subscriber to all its channels."""
    bus = f"{redis_server}/0"
    reflector = world.settings.reflector.model_copy(update={"bus_url": bus})
    world.settings = world.settings.model_copy(update={"reflector": reflector})
    with redis.Redis.from_url(bus).pubsub() as subscriber:
        subscriber.psubscribe("*")
        subscriber.get_message(timeout=2)
        yield subscriber


def test_the_bus_carries_each_state_once(world, heard):
    """The transcript's channel and its owner's, plain JSON, no prefix, no repetition."""
    world.do("finalize")
    world.do("finalize")
    got = []
    while message := heard.get_message(timeout=0.3):
        got.append((message["channel"].decode(), json.loads(message["data"])))
    transcript = world.run.transcript_id
    assert got == [
        (f"ts:{transcript}", {"event": "STATUS", "data": {"value": "ended"}}),
        (
            "user:user-alice",
            {"event": "TRANSCRIPT_STATUS", "data": {"id": transcript, "value": "ended"}},
        ),
    ]

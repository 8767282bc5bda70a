"""The start of a live workflow, on a real Redis: once, in its turn, and again if need be."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime

import pytest
import redis
from conductor.client.http.models.task import Task

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.conductor.live_claims import LiveFence, fence_of
from reflector_migrate.conductor.runtime.task_runner import NoFence, TaskRunner
from reflector_migrate.conductor.runtime.worker_registry import WORKERS
from reflector_migrate.cutover import routes
from reflector_migrate.cutover.handover import (
    SERVED,
    Asked,
    Blocked,
    Kept,
    hand_over,
    note_kept,
    parse,
    resend_waiting,
    take_up_if_stopped,
    workflow_of,
)
from reflector_migrate.cutover.route_app import AGAIN_S, LONGEST_PAUSE_S, config_of
from reflector_migrate.cutover.takeover import take_over_stalled
from reflector_migrate.errors import InputError, RefusedError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import create_all
from reflector_migrate.pipeline.rows.tables import recording, transcript
from reflector_migrate.plugin.reflector_claim import (
    CONDUCTOR,
    ENDED,
    QUEUE,
    RUN_S,
    Claims,
    key_of,
)
from reflector_migrate.sandbox.ports import free_ports
from reflector_migrate.settings import Settings
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.base import writing
from reflector_migrate.store.runs import Dispatches
from tests.answering import answering
from tests.harness_world import WHO, Watcher
from tests.harness_world import answering as step_answers
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy

T = "t-1"
ASKED = Asked(
    transcript_id=T, bucket_name="b", track_keys=("d/r-1/1-a-cam-audio-2",), token="token-1",
    task_id="task-1", route="conductor+fallback",
)  # fmt: skip


@pytest.fixture
def settings(tmp_path, redis_server):
    """A store, Reflector's database with one transcript, and an empty broker."""
    broker = f"{redis_server}/3"
    redis.Redis.from_url(broker).flushdb()
    made = Settings.model_validate({
        "store": {"url": f"sqlite:///{tmp_path}/store.db"},
        "reflector": {"database_url": f"sqlite:///{tmp_path}/theirs.db", "broker_url": broker},
    })  # fmt: skip
    new_store(made.store_url)
    create_all(made.reflector.database_url)
    at = datetime.now(UTC)
    with writing(made.reflector.database_url) as connection:
        row = {"id": "rec-1", "bucket_name": "b", "object_key": "d/r-1", "recorded_at": at}
        connection.execute(recording.insert().values(**row))
        more = {"name": "", "source_kind": "room", "status": "idle", "created_at": at}
        connection.execute(transcript.insert().values(id=T, recording_id="rec-1", **more))
    return made


@pytest.fixture
def claims(settings):
    """The claims of that broker; the plugin has asked for Conductor."""
    made = Claims(redis.Redis.from_url(settings.reflector.broker_url))
    given = {"task_id": "task-1", "route": ASKED.route, "at": 1.0, "queue": QUEUE, "message": b"m"}
    made.ask(T, ASKED.token, **given)
    return made


class Conductor:
    """Answers as a server would that starts what it is asked to, and remembers it."""

    def __init__(self, before=lambda: None, status=200):
        self.started, self.before, self.status = 0, before, status

    def __call__(self, method, path):
        """A start, or a search that finds nothing."""
        if (method, path) != ("POST", "/workflow"):
            return 200, []
        self.before()
        self.started += self.status == 200
        return (200, "w-1") if self.status == 200 else (self.status, {"message": "not known"})


def served_by(settings, conductor):
    """What handing over answers with that Conductor."""
    with answering(conductor) as url:
        at = settings.conductor.model_copy(update={"server_url": url})
        return hand_over(Harness.of(settings.model_copy(update={"conductor": at})), ASKED)


def test_a_claim_gets_one_workflow_which_is_kept_by_recording(settings, claims):
    """The claim names it for the plugin, the register for everybody else."""
    conductor = Conductor()
    assert served_by(settings, conductor) == "w-1"
    assert claims.look(T).workflow_id == "w-1"
    assert workflow_of(Harness.of(settings), "rec-1") == "w-1"
    last = Dispatches(settings.store_url).last("rec-1")
    assert (last["outcome"], last["reason"]) == ("skipped", SERVED + build_hash())
    assert served_by(settings, conductor) is None  # the message was delivered again
    assert conductor.started == 1


def test_nothing_is_started_out_of_turn(settings, claims):
    """Legacy took the claim back, or there is none."""
    claims.take_for_legacy(T, "other", task_id="task-1", reason="late", at=2.0, of=ASKED.token)
    conductor = Conductor()
    assert served_by(settings, conductor) is None
    assert conductor.started == 0
    assert workflow_of(Harness.of(settings), "rec-1") is None


def test_a_workflow_whose_answer_comes_too_late_does_not_count(settings, claims):
    """Legacy took the transcript while the server was thinking."""

    def meanwhile():
        given = {"task_id": "task-1", "reason": "late", "at": 2.0, "of": ASKED.token}
        claims.take_for_legacy(T, "other", **given)

    assert served_by(settings, Conductor(meanwhile)) is None
    assert claims.look(T).workflow_id == ""
    assert workflow_of(Harness.of(settings), "rec-1") is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(400, RefusedError, id="refused"),
        pytest.param(500, ServerUnreachableError, id="broken"),
    ],
)
def test_the_plugin_hears_of_a_failed_start_and_it_can_be_tried_again(
    settings, claims, status, error
):
    """The claim stays asked for: if the plugin died, the next try still starts it."""
    with pytest.raises(error):
        served_by(settings, Conductor(status=status))
    assert f"HTTP {status}" in claims.look(T).refused
    assert claims.look(T).engine == CONDUCTOR
    assert served_by(settings, Conductor()) == "w-1"


def test_a_broker_that_is_away_is_an_error_that_passes(settings):
    """The message is tried again."""
    url = f"redis://127.0.0.1:{free_ports(('none',))['none']}/0"
    away = settings.reflector.model_copy(update={"broker_url": url})
    with pytest.raises(ServerUnreachableError, match="the broker does not answer"):
        hand_over(Harness.of(settings.model_copy(update={"reflector": away})), ASKED)


def test_a_message_with_a_fault_names_the_field():
    """And quotes nothing."""
    message = json.loads(ASKED.model_dump_json())
    assert parse(message, Asked) == ASKED
    with pytest.raises(InputError, match="token"):
        parse({k: v for k, v in message.items() if k != "token"}, Asked)


def test_its_unacknowledged_messages_are_apart_from_reflectors():
    """They are delivered again after seconds: Reflector's own must not be."""
    options = config_of(Settings())["broker_transport_options"]
    assert all(
        options[f"unacked{end}_key"].startswith("migrate:") for end in ("", "_index", "_mutex")
    )
    assert options["visibility_timeout"] == AGAIN_S > LONGEST_PAUSE_S


def task_again(broker):
    """Each task on Reflector's queue: (id, name, kwargs)."""
    found = [json.loads(raw) for raw in redis.Redis.from_url(broker).lrange("celery", 0, -1)]
    bodies = [json.loads(base64.b64decode(one["body"])) for one in found]
    heads = [one["headers"] for one in found]
    return [(h["id"], h["task"], b[1]) for h, b in zip(heads, bodies, strict=True)]


@pytest.mark.parametrize(
    ("route", "age_s", "is_begun", "is_sent"),
    [
        pytest.param("conductor", 0, False, True, id="no fallback: it would wait for ever"),
        pytest.param("conductor", 0, True, False, id="its workflow has begun"),
        pytest.param("conductor+fallback", 0, False, False, id="its plugin falls back itself"),
        pytest.param("conductor+fallback", 60, False, True, id="its worker died while it waited"),
    ],
)
def test_the_way_back_announces_what_waits_again(settings, route, age_s, is_begun, is_sent):
    """With its own id and arguments, once however often it is asked for."""
    claims = Claims(redis.Redis.from_url(settings.reflector.broker_url))
    kwargs = {"transcript_id": T, "bucket_name": "b", "track_keys": ["k"]}
    given = {"task_id": "task-1", "route": route, "at": time.time() - age_s, "queue": QUEUE}
    kept = json.dumps({"task": "the.pipeline", "kwargs": kwargs})
    claims.ask(T, ASKED.token, **given, message=b"m", given=kept)
    if is_begun:
        claims.hold(T, ASKED.token, "w-1", is_end=False)
    assert [resend_waiting(Harness.of(settings)), resend_waiting(Harness.of(settings))] == [
        int(is_sent),
        0,
    ]
    assert task_again(settings.reflector.broker_url) == (
        [("task-1", "the.pipeline", kwargs)] if is_sent else []
    )


@pytest.mark.parametrize(
    ("status", "is_taken_up"),
    [
        pytest.param("RUNNING", False, id="it runs"),
        pytest.param("FAILED", False, id="its failure workflow ends the claim"),
        pytest.param("COMPLETED", False, id="finalize has ended the claim"),
        pytest.param("TERMINATED", True, id="a person stopped it"),
        pytest.param(None, True, id="the server has lost it"),
    ],
)
def test_a_stopped_workflow_frees_its_transcript(settings, claims, status, is_taken_up):
    """The task that it had kept from running is announced again, under its own id."""
    claims.hold(T, ASKED.token, "w-1", is_end=False)
    kwargs = {"transcript_id": T, "bucket_name": "b", "track_keys": ["k"]}
    blocked = Blocked(
        transcript_id=T, token=ASKED.token, workflow_id="w-1", task_id="task-2", task="p",
        kwargs=kwargs,
    )  # fmt: skip
    found = (200, {"status": status}) if status else (404, {"message": "none"})
    with answering(lambda _method, _path: found) as url:
        at = settings.conductor.model_copy(update={"server_url": url})
        moved = settings.model_copy(update={"conductor": at})
        assert take_up_if_stopped(Harness.of(moved), blocked) is is_taken_up
    assert (claims.look(T).state == ENDED) is is_taken_up
    again = [("task-2", "p", kwargs)] if is_taken_up else []
    assert task_again(settings.reflector.broker_url) == again


@pytest.mark.parametrize(
    ("route", "why"),
    [
        pytest.param("celery", "route celery", id="its route"),
        pytest.param(
            "conductor+fallback", "route conductor+fallback: no answer", id="it fell back"
        ),
    ],
)
def test_an_unannounced_recording_is_registered_with_the_reason(settings, route, why):
    """At night it counts as skipped on purpose, not as lost."""
    note_kept(Harness.of(settings), Kept(transcript_id=T, route=route, reason="no answer"))
    last = Dispatches(settings.store_url).last("rec-1")
    assert (last["outcome"], last["reason"]) == ("skipped", why)


# the steps of a live workflow


def worked(settings, step, token=ASKED.token, **more):
    """The result of one task of a live worker, and what its watcher heard."""
    live = settings.candidate.model_copy(update={"namespace": "live"})
    settings, watcher = settings.model_copy(update={"candidate": live}), Watcher()
    fence = fence_of(Harness.of(settings))
    execute = step_answers({})
    runner = TaskRunner(
        Harness.of(settings), WHO, execute, watcher, lambda _task: lambda: None, fence
    )
    run = {"transcript_id": T, "run_id": token, "workflow_id": "w-1", "namespace": "live"}
    task = Task(task_id="t", workflow_instance_id="w-1", input_data={"run": run, **more})
    task.task_def_name = step
    return WORKERS[step](task, runner), watcher.told


def test_only_live_workers_ask_whose_turn_it_is():
    """A shadow's run has no claim, and needs no broker for its steps."""
    assert isinstance(fence_of(Harness.of(Settings())), NoFence)
    live = Settings().candidate.model_copy(update={"namespace": "live"})
    assert isinstance(
        fence_of(Harness.of(Settings().model_copy(update={"candidate": live}))), LiveFence
    )


def test_the_first_step_takes_the_claim_and_finalize_ends_it(settings, claims):
    """In between no other process can have the transcript."""
    assert worked(settings, "get_recording")[0].status == "COMPLETED"
    assert (claims.look(T).state, claims.look(T).workflow_id) == ("running", "w-1")
    given = {"task_id": "task-2", "reason": "", "at": 3.0}
    assert claims.take_for_legacy(T, "other", **given) is not None
    worked(settings, "finalize", outcome="ended")
    assert claims.look(T).state == ENDED
    assert worked(settings, "send_webhook")[0].status == "COMPLETED"
    assert claims.take_for_legacy(T, "other", **given) is None


@pytest.mark.parametrize("step", ["get_recording", "merge_transcripts", "finalize", "send_webhook"])
def test_a_step_out_of_turn_does_and_publishes_nothing(settings, claims, step):
    """The workflow ends there: legacy serves the transcript."""
    given = {"task_id": "task-1", "reason": "late", "at": 2.0, "of": ASKED.token}
    claims.take_for_legacy(T, "other", **given)
    result, told = worked(settings, step)
    assert result.status == "FAILED_WITH_TERMINAL_ERROR"
    assert result.reason_for_incompletion == "not its turn: another run serves this transcript"
    assert told == []
    assert claims.look(T).token == "other"


def test_the_failure_workflow_of_a_run_out_of_turn_leaves_the_row_alone(settings, claims):
    """Its finalize would set the status of a transcript that legacy works on."""
    given = {"task_id": "task-1", "reason": "late", "at": 2.0, "of": ASKED.token}
    claims.take_for_legacy(T, "other", **given)
    result, told = worked(settings, "finalize", outcome="error")
    assert (result.status, told) == ("COMPLETED", [])


def test_a_step_waits_while_the_broker_does_not_say_whose_turn_it_is(settings):
    """It costs no attempt."""
    url = f"redis://127.0.0.1:{free_ports(('none',))['none']}/0"
    away = settings.reflector.model_copy(update={"broker_url": url})
    result, told = worked(settings.model_copy(update={"reflector": away}), "get_recording")
    assert (result.status, told) == ("IN_PROGRESS", [])


# what began and does not end


def begun(settings, route="conductor+fallback", *, is_running=True, idle_s=0.0):
    """A claim as the plugin makes it, whose workflow stands still for that long."""
    client = redis.Redis.from_url(settings.reflector.broker_url)
    made = Claims(client)
    given = json.dumps({"queue": "celery", "again": "the call", "task": "p", "kwargs": {}})
    asked = {"task_id": "task-1", "route": route, "at": time.time() - idle_s, "queue": QUEUE}
    made.ask(T, ASKED.token, **asked, message=b"m", given=given)
    if is_running:
        made.hold(T, ASKED.token, "w-1", is_end=False)
        client.expire(key_of(T), int(RUN_S - idle_s))
    return made


def with_route(settings, **changes):
    """The same settings with these of the route, and no Conductor."""
    route = settings.route.model_copy(update=changes)
    away = f"http://127.0.0.1:{free_ports(('none',))['none']}"
    at = settings.conductor.model_copy(update={"server_url": away})
    return settings.model_copy(update={"route": route, "conductor": at})


NEVER, BEFORE = "never", "before_first_effect"


@pytest.mark.parametrize(
    ("policy", "route", "is_running", "idle_s", "is_given"),
    [
        pytest.param(BEFORE, "conductor+fallback", True, 50, True, id="it stands still"),
        pytest.param(BEFORE, "conductor+fallback", True, 0, False, id="a step has just begun"),
        pytest.param(NEVER, "conductor+fallback", True, 50, False, id="never after the start"),
        pytest.param(NEVER, "conductor+fallback", False, 50, True, id="it has not begun at all"),
        pytest.param(BEFORE, "conductor", True, 50, False, id="a route without fallback"),
    ],
)
def test_a_workflow_that_stands_still_leaves_its_transcript_to_legacy(
    settings, policy, route, is_running, idle_s, is_given
):
    """Only where the route and the policy have a fallback; Conductor may be down."""
    claims = begun(settings, route, is_running=is_running, idle_s=idle_s)
    settings = with_route(settings, fallback_after_start=policy, stall_s=30)
    assert take_over_stalled(Harness.of(settings)) == ((T,) if is_given else ())
    queued = redis.Redis.from_url(settings.reflector.broker_url).lrange("celery", 0, -1)
    assert queued == ([b"the call"] if is_given else [])
    assert (claims.look(T).engine == CONDUCTOR) is not is_given


@pytest.mark.parametrize(
    ("policy", "route", "is_given"),
    [
        pytest.param(BEFORE, "conductor+fallback", True, id="legacy runs instead"),
        pytest.param(NEVER, "conductor+fallback", False, id="never after the start"),
        pytest.param(BEFORE, "conductor", False, id="a route without fallback"),
    ],
)
def test_a_workflow_that_failed_leaves_its_transcript_to_legacy(settings, policy, route, is_given):
    """Its failure workflow leaves the row alone then; else it asks Conductor."""
    claims = begun(settings, route)
    result, heard = worked(
        with_route(settings, fallback_after_start=policy), "finalize", outcome="error"
    )
    assert ((result.status == "COMPLETED") is is_given, heard) == (True, [])
    assert claims.look(T).state == ("asked" if is_given else "running")
    assert claims.look(T).reason == ("its workflow failed" if is_given else "")


def test_kill_takes_every_running_workflow_back_with_conductor_down(settings, tmp_path):
    """Whatever its route; the file stands, and the log has it."""
    begun(settings, "conductor")
    settings = with_route(settings, back_file=tmp_path / "back")
    sent = routes.kill(Harness.of(settings), "ana", "empty transcripts")
    assert sent.is_in_force
    assert sent.faults == ()
    assert task_again_raw(settings) == [b"the call"]
    assert Audit(settings.store_url).last("route")["body"]["why"] == "kill: empty transcripts"


def task_again_raw(settings):
    """Reflector's queue as it is."""
    return redis.Redis.from_url(settings.reflector.broker_url).lrange("celery", 0, -1)

"""What the plugin does with the pipeline's task, on a real Redis: run it, or hand it over."""

from __future__ import annotations

import base64
import importlib
import itertools
import json
import socket
import threading
import time
from contextlib import contextmanager

import pytest
import redis
from celery import Celery

from reflector_migrate.plugin import FOLDER
from reflector_migrate.plugin.reflector_claim import CONDUCTOR, ENDED, LEGACY, QUEUE, START, Claims
from reflector_migrate.plugin.reflector_route_table import KEY, ROUTES, Table, dump
from reflector_migrate.sandbox.ports import free_ports

pytestmark = pytest.mark.heavy

NAME = "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process"
GIVEN = {"transcript_id": "t-1", "bucket_name": "b", "track_keys": ["d/standup-1/1-a-cam-audio-2"]}
FOR_CONDUCTOR = ("conductor+fallback", "conductor")


@pytest.fixture
def plugin(monkeypatch):
    """The module as Reflector's worker imports it, which nothing has switched on."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.delenv("MIGRATE_ROUTING", raising=False)
    monkeypatch.setenv("MIGRATE_ROUTE_WAIT_S", "0.4")
    module = importlib.import_module("reflector_route")
    monkeypatch.setattr(module.shadow, "may_announce", module.shadow.may_announce)
    return module


@pytest.fixture
def broker(redis_server):
    """An empty database of a real Redis."""
    url = f"{redis_server}/4"
    redis.Redis.from_url(url).flushdb()
    return url


class Theirs:
    """Their app with the pipeline's task, decided by the plugin."""

    def __init__(self, plugin, broker: str) -> None:
        self.bodies, self.during = [], lambda: None
        self.app = Celery("theirs", broker=broker, set_as_current=False)
        self.app.conf.task_store_eager_result = False

        @self.app.task(name=NAME, shared=False, lazy=False)  # before shared ones of the name
        def process(*, transcript_id, bucket_name, track_keys):
            self.bodies.append((transcript_id, bucket_name, track_keys))
            self.during()
            return "the body's answer"

        plugin.replace_run(self.app)
        self.claims = Claims(redis.Redis.from_url(broker))

    def run(self, task_id="task-1", **given):
        """What the task answers; raises what it raised."""
        task = self.app.tasks[NAME]
        return task.apply(kwargs={**GIVEN, **given}, task_id=task_id, throw=True).result


@pytest.fixture
def theirs(plugin, broker):
    """Their app on the empty broker."""
    return Theirs(plugin, broker)


def publish(broker: str, **fields):
    """Publish a table; the text itself if there is one."""
    redis.Redis.from_url(broker).set(KEY, fields.get("text") or dump(Table(1, **fields)))


def starts(broker: str) -> int:
    """How many workflows are asked for."""
    queued = redis.Redis.from_url(broker).lrange(QUEUE, 0, -1)
    return sum(b"migrate.route.start" in message for message in queued)


@contextmanager
def starter(broker: str, **facts):
    """Notes these facts of each claim that it is asked to start, as the harness's does."""
    client, is_over = redis.Redis.from_url(broker), threading.Event()

    def serve():
        while not is_over.is_set():
            if raw := client.rpop(QUEUE):
                message = json.loads(raw)
                asked = json.loads(base64.b64decode(message["body"]))[1]["message"]
                if message["headers"]["task"] != START:
                    continue
                Claims(client).note(asked["transcript_id"], asked["token"], **facts)
            is_over.wait(0.01)

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    is_over.set()
    thread.join()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(None, id="no table"),
        pytest.param({"text": "{"}, id="an unreadable table"),
        pytest.param({"route": "celery"}, id="celery"),
        pytest.param({"route": "celery+shadow"}, id="celery and shadow"),
        pytest.param({"route": "conductor", "share": 0.0}, id="outside the share"),
        pytest.param({"route": "conductor", "deny": ("t-1",)}, id="on the deny list"),
    ],
)
def test_what_stays_with_celery_runs_the_body_once(theirs, broker, fields):
    """Its answer and its arguments are those of before, and no workflow is asked for."""
    if fields:
        publish(broker, **fields)
    assert theirs.run() == "the body's answer"
    assert theirs.bodies == [("t-1", "b", GIVEN["track_keys"])]
    assert starts(broker) == 0
    assert (theirs.claims.look("t-1").engine, theirs.claims.look("t-1").state) == (LEGACY, ENDED)


@pytest.mark.parametrize(
    ("fields", "is_told"),
    [
        pytest.param(None, True, id="no table: as before"),
        pytest.param({"text": "{"}, True, id="unreadable: as before"),
        pytest.param({"route": "celery"}, False, id="celery"),
        pytest.param({"route": "celery+shadow"}, True, id="celery and shadow"),
        pytest.param({"route": "conductor+fallback"}, False, id="conductor with fallback"),
        pytest.param({"route": "conductor"}, False, id="conductor"),
    ],
)
def test_the_shadow_hears_of_what_the_route_says(theirs, plugin, broker, fields, is_told):
    """Never of a recording that Conductor serves."""
    if fields:
        publish(broker, **fields)
    assert plugin.shadow.may_announce("task-1", GIVEN) is is_told


@pytest.mark.parametrize("route", FOR_CONDUCTOR)
def test_a_workflow_that_starts_serves_it_and_is_named(theirs, broker, route):
    """The body does not run, and the claim keeps the workflow's id."""
    publish(broker, route=route)
    with starter(broker, workflow_id="w-1"):
        assert theirs.run()["workflow_id"] == "w-1"
    assert theirs.bodies == []
    assert theirs.claims.look("t-1").workflow_id == "w-1"


@pytest.mark.parametrize("route", ROUTES)
def test_a_second_announcement_of_a_running_workflow_ends_at_once(theirs, broker, route):
    """Whatever its route says by now; it names the workflow, and has it checked, no more."""
    publish(broker, route="conductor")
    with starter(broker, workflow_id="w-1"):
        theirs.run()
    token = theirs.claims.look("t-1").token
    theirs.claims.hold("t-1", token, "w-1", is_end=False)
    publish(broker, route=route)
    again = Theirs(importlib.import_module("reflector_route"), broker)
    assert again.run("task-2")["served_by"] == "workflow w-1"
    assert again.bodies == []
    (asked,) = redis.Redis.from_url(broker).lrange(QUEUE, 0, -1)
    assert b"migrate.route.check" in asked


@pytest.mark.parametrize("route", ROUTES)
def test_a_transcript_that_has_ended_is_served_again(theirs, broker, route):
    """Reprocessing after the end of the workflow goes wherever its route says."""
    publish(broker, route=route)
    claims = theirs.claims
    given = {"task_id": "old", "route": route, "at": 1.0, "queue": "nobody's", "message": b""}
    claims.ask("t-1", "old", **given)
    claims.hold("t-1", "old", "w-0", is_end=False)
    claims.end("t-1", "old")
    with starter(broker, workflow_id="w-1"):
        answer = theirs.run()
    assert (answer == "the body's answer") == (route not in FOR_CONDUCTOR)
    assert len(theirs.bodies) == (route not in FOR_CONDUCTOR)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({}, "no answer", id="nobody answers"),
        pytest.param({"refused": "HTTP 400"}, "HTTP 400", id="Conductor refuses"),
    ],
)
def test_the_fallback_runs_the_body_and_says_why(theirs, broker, facts, reason):
    """Within its bound; a workflow that starts after all finds that it is not its turn."""
    publish(broker, route="conductor+fallback")
    asked, since = [], time.monotonic()
    theirs.during = lambda: asked.append(theirs.claims.look("t-1"))
    with starter(broker, **facts):
        assert theirs.run() == "the body's answer"
    assert time.monotonic() - since < 2.0
    assert (asked[0].engine, asked[0].state) == (LEGACY, "running")
    assert asked[0].reason == f"Conductor did not start it: {reason}"
    assert len(theirs.bodies) == 1


def test_a_start_whose_answer_is_late_is_fenced_off(theirs, broker, plugin):
    """The token that was asked with no longer holds the claim."""
    publish(broker, route="conductor+fallback")
    tokens = []
    asking = plugin.claim.Claims.ask
    plugin.claim.Claims.ask = lambda self, t, token, **k: (
        tokens.append(token), asking(self, t, token, **k))[1]  # fmt: skip
    try:
        theirs.run()
    finally:
        plugin.claim.Claims.ask = asking
    assert theirs.claims.note("t-1", tokens[0], workflow_id="w-9") is False
    assert theirs.claims.hold("t-1", tokens[0], "w-9", is_end=False) is False


def test_a_task_that_comes_again_after_a_takeover_runs_the_body(theirs, broker):
    """The claim kept the very task as a message; the reason is the workflow's."""
    publish(broker, route="conductor+fallback")
    with starter(broker, workflow_id="w-1"):
        theirs.run()
        token = theirs.claims.look("t-1").token
        theirs.claims.hold("t-1", token, "w-1", is_end=False)
        given = {"new_token": "n", "reason": "its workflow failed", "at": 2.0}
        assert theirs.claims.take_over("t-1", token, **given) is True
        raw = redis.Redis.from_url(broker).rpop("celery")
        message = json.loads(raw)
        assert (message["headers"]["task"], message["headers"]["id"]) == (NAME, "task-1")
        args, kwargs, _embed = json.loads(base64.b64decode(message["body"]))
        assert (args, kwargs) == ([], GIVEN)
        theirs.run(task_id="task-2")  # a second announcement finds that one coming
        assert theirs.bodies == []
        assert theirs.run() == "the body's answer"
    assert theirs.claims.look("t-1").reason == "its workflow failed"
    assert len(theirs.bodies) == 1


def test_without_a_fallback_the_start_is_left_in_the_queue(theirs, broker):
    """A later reader starts the workflow: nothing is lost, and legacy does not run."""
    publish(broker, route="conductor")
    assert theirs.run()["workflow_id"] == ""
    assert theirs.bodies == []
    assert redis.Redis.from_url(broker).llen(QUEUE) == 1
    assert (theirs.claims.look("t-1").engine, theirs.claims.look("t-1").state) == (
        CONDUCTOR, "asked",
    )  # fmt: skip


def test_the_local_file_sends_everything_back(theirs, broker, monkeypatch, tmp_path):
    """Whatever the table says."""
    publish(broker, route="conductor")
    (tmp_path / "back").touch()
    monkeypatch.setenv("MIGRATE_ROUTE_BACK_FILE", str(tmp_path / "back"))
    assert theirs.run() == "the body's answer"


def test_an_error_of_the_body_passes_through_and_ends_the_claim(theirs):
    """As before: the task fails with the same exception, and can be run again."""

    def fail():
        raise RuntimeError("broken")

    theirs.during = fail
    with pytest.raises(RuntimeError, match="broken"):
        theirs.run()
    assert theirs.claims.look("t-1").state == ENDED
    assert len(theirs.bodies) == 1


@pytest.mark.parametrize("kind", ["refusing", "hung"])
def test_a_broker_that_fails_costs_no_recording(plugin, kind):
    """The body runs, once, after a few bounded waits."""
    port = free_ports(("none",))["none"]
    hung = socket.create_server(("127.0.0.1", port)) if kind == "hung" else None
    made, since = Theirs(plugin, f"redis://127.0.0.1:{port}/0"), time.monotonic()
    assert made.run() == "the body's answer"
    assert len(made.bodies) == 1
    assert time.monotonic() - since < 8.0
    if hung:
        hung.close()


@pytest.mark.parametrize("route", FOR_CONDUCTOR)
def test_a_broker_that_fails_between_table_and_claim_leaves_the_body(
    theirs, broker, plugin, monkeypatch, route
):
    """It could not be asked, so it is not left to another process."""
    publish(broker, route=route)

    def away(*args, **kwargs):
        raise redis.ConnectionError

    monkeypatch.setattr(plugin.claim.Claims, "ask", away)
    assert theirs.run() == "the body's answer"
    assert theirs.claims.look("t-1").state == ENDED


def test_the_claim_of_a_long_body_is_renewed(theirs, plugin, monkeypatch):
    """Its time does not run out under it."""
    monkeypatch.setattr(plugin, "RENEW_S", 0.02)
    client, left = theirs.claims._client, []

    def long():
        client.expire("migrate:claim:t-1", 1)
        time.sleep(0.2)
        left.append(client.ttl("migrate:claim:t-1"))

    theirs.during = long
    theirs.run()
    assert left[0] > 30


def test_a_secondary_is_never_routed(plugin, broker, monkeypatch):
    """It stands for legacy's own noise."""
    monkeypatch.setenv("MIGRATE_SHADOW_ROLE", "secondary")
    publish(broker, route="conductor")
    assert Theirs(plugin, broker).run() == "the body's answer"


def test_a_changed_table_is_followed_within_five_seconds(plugin):
    """And read no more often than that."""
    clock, reads = [0.0], []

    def read():
        reads.append(clock[0])
        return dump(Table(len(reads), "conductor"))

    known = plugin.Routes(read, lambda: clock[0])
    versions = []
    for clock[0] in (0.0, 4.9, 5.0, 9.9, 10.0):
        versions.append(known.current().version)
    assert versions == [1, 1, 2, 2, 3]


def test_a_table_that_can_no_longer_be_read_is_not_followed_any_more(plugin):
    """A broker that is away sends everything to Celery, as soon as the worker notices."""
    clock, answers = [0.0], iter([dump(Table(1, "conductor")), RuntimeError()])

    def read():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    known = plugin.Routes(read, lambda: clock[0])
    assert known.current() is not None
    clock[0] = 5.0
    assert known.current() is None


@pytest.mark.parametrize(
    ("story", "allowed"),
    [
        pytest.param("", True, id="at first"),
        pytest.param("xx", True, id="after two failures"),
        pytest.param("xxx", False, id="after three failures"),
        pytest.param("xxox", True, id="a start in between"),
        pytest.param("xxxr", True, id="after a rest a probe may go"),
        pytest.param("xxxrp", False, id="and only one"),
        pytest.param("xxxrpx", False, id="a probe that failed"),
        pytest.param("xxxrpo", True, id="a probe that started"),
    ],
)
def test_the_breaker(plugin, story, allowed):
    """x failed, o started, r a rest, p a probe that is under way."""
    clock = itertools.count()
    now = [0.0]
    breaker = plugin.Breaker(lambda: now[0])
    for event in story:
        next(clock)
        if event == "r":
            now[0] += plugin.REST_S
        elif event == "p":
            breaker.allows()
        else:
            breaker.note(is_started=event == "o")
    assert breaker.allows() is allowed


def test_conductor_is_left_alone_after_three_failed_starts(theirs, broker):
    """The fourth recording does not wait."""
    publish(broker, route="conductor+fallback")
    for number in range(4):
        since = time.monotonic()
        theirs.run(f"task-{number}", transcript_id=f"t-{number}")
    assert time.monotonic() - since < 0.3
    assert len(theirs.bodies) == 4


def test_a_stream_with_an_outage_and_two_switches_serves_each_recording_once(plugin, broker):
    """Fifty recordings; the starter dies after some; the route goes back and forth meanwhile."""
    made, served = Theirs(plugin, broker), {}
    publish(broker, route="conductor+fallback")

    def run(numbers):
        for number in numbers:
            served[number] = made.run(f"task-{number}", transcript_id=f"t-{number}")

    with starter(broker, workflow_id="w"):
        run(range(20))
    run(range(20, 35))  # nobody starts anything: three wait, the breaker spares the others
    publish(broker, route="celery")
    made = Theirs(plugin, broker)
    run(range(35, 40))
    publish(broker, route="conductor+fallback")
    made = Theirs(plugin, broker)
    with starter(broker, workflow_id="w"):
        run(range(40, 50))
    on_conductor = {n for n, answer in served.items() if answer != "the body's answer"}
    assert on_conductor == {*range(20), *range(40, 50)}
    engines = {n: made.claims.look(f"t-{n}").engine for n in range(50)}
    assert {n for n, engine in engines.items() if engine == CONDUCTOR} == on_conductor

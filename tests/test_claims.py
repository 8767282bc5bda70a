"""The claim on a transcript: in every order of events exactly one engine serves it."""

from __future__ import annotations

import itertools

import pytest
import redis

from reflector_migrate.plugin.reflector_claim import (
    CONDUCTOR,
    ENDED,
    LEASE_S,
    LEGACY,
    QUEUE,
    RUN_S,
    RUNNING,
    Claims,
    key_of,
)

pytestmark = pytest.mark.heavy

T = "t-1"


@pytest.fixture
def client(redis_server):
    """An empty database of a real Redis."""
    made = redis.Redis.from_url(f"{redis_server}/5")
    made.flushdb()
    yield made
    made.close()


@pytest.fixture
def claims(client):
    """The claims in it."""
    return Claims(client)


def ask(claims, token="a", task_id="task-a"):
    """Claim for Conductor; the claim of another, or None."""
    given = {"task_id": task_id, "route": "conductor", "at": 1.0, "queue": QUEUE, "message": b"m"}
    return claims.ask(T, token, **given)


def to_legacy(claims, token="b", task_id="task-a", of=""):
    """Claim for the legacy body; the claim of another, or None."""
    return claims.take_for_legacy(T, token, task_id=task_id, reason="why", at=2.0, of=of)


EVENTS = {
    "the worker asks": None,
    "the worker gives up waiting": "the worker asks",
    "the starter looks": "the worker asks",
    "the starter notes the workflow": "the starter looks",
    "the workflow begins": "the starter looks",
    "another task runs legacy": None,
    "another task asks": None,
}
"""Each event, and the one that it cannot come before."""


def orders():
    """Every order of events in which each comes after its condition; one other task at most."""
    others = ("another task runs legacy", "another task asks")
    for number, left_out in itertools.product(range(1, len(EVENTS)), others):
        for order in itertools.permutations([e for e in EVENTS if e != left_out], number):
            place = {event: at for at, event in enumerate(order)}
            if all(EVENTS[e] is None or place.get(EVENTS[e], 99) < place[e] for e in order):
                yield order


def test_in_every_order_of_events_no_two_engines_serve_a_transcript(client, claims):
    """A process that dies on the way leaves out events: each such history is one of these too."""
    number = 0
    for order in orders():
        client.delete(key_of(T), QUEUE)
        served, may_start, queued = set(), False, 0
        for event in order:
            match event:
                case "the worker asks":
                    queued += ask(claims) is None
                case "another task asks":
                    queued += ask(claims, "c", "task-c") is None
                case "the worker gives up waiting":
                    served |= {LEGACY} if to_legacy(claims, "b", of="a") is None else set()
                case "another task runs legacy":
                    served |= {LEGACY} if to_legacy(claims, "d", "task-d") is None else set()
                case "the starter looks":
                    held = claims.look(T)
                    may_start = held.token == "a" and held.engine == CONDUCTOR
                case "the starter notes the workflow" if may_start:
                    claims.note(T, "a", workflow_id="w")
                case "the workflow begins" if may_start:
                    served |= {CONDUCTOR} if claims.hold(T, "a", "w", is_end=False) else set()
        number += 1
        held = claims.look(T)
        assert served != {LEGACY, CONDUCTOR}, order
        # never neither: one of them runs, or a message is queued whose token is the claim's
        is_coming = queued and held.engine == CONDUCTOR
        assert served or is_coming or "asks" not in "".join(order), order
        assert client.llen(QUEUE) == queued
    assert number > 250


def test_a_second_announcement_hears_who_serves_it(claims):
    """The workflow once it is known, its start until then, and never a second message."""
    assert ask(claims) is None
    assert str(ask(claims, "c", "task-c")) == "the start of a"
    claims.hold(T, "a", "w-1", is_end=False)
    assert str(ask(claims, "c", "task-c")) == "workflow w-1"
    assert str(to_legacy(claims, "d", "task-d")) == "workflow w-1"
    assert claims.look(T).token == "a"


def test_a_task_that_is_delivered_again_asks_again(claims, client):
    """Its first message then comes too late: the token is another."""
    ask(claims, "first")
    assert ask(claims, "second") is None
    assert claims.note(T, "first", workflow_id="w") is False
    assert claims.hold(T, "first", "w", is_end=False) is False
    assert claims.hold(T, "second", "v", is_end=False) is True
    assert client.llen(QUEUE) == 2


def test_a_transcript_that_has_ended_can_be_claimed_again(claims):
    """By either engine; the old run's last steps find that it is not their turn."""
    ask(claims)
    claims.hold(T, "a", "w", is_end=False)
    assert claims.end(T, "a") is True
    assert claims.look(T).state == ENDED
    assert claims.hold(T, "a", "w", is_end=True) is True
    assert claims.look(T).state == ENDED
    assert to_legacy(claims) is None
    assert claims.hold(T, "a", "w", is_end=True) is False


def test_a_start_that_comes_after_legacy_has_ended_is_too_late(claims):
    """The claim outlives the body for that."""
    ask(claims)
    to_legacy(claims, of="a")
    claims.end(T, "b")
    assert claims.note(T, "a", workflow_id="w") is False
    assert claims.hold(T, "a", "w", is_end=False) is False


def test_only_the_claim_that_was_meant_is_taken_back(claims):
    """Another task's is left alone."""
    ask(claims, "c", "task-c")
    assert to_legacy(claims, of="a").token == "c"
    assert claims.look(T).engine == CONDUCTOR


def test_a_legacy_claim_lasts_as_long_as_it_is_renewed(claims, client):
    """A killed worker holds a transcript for a minute, not for ever."""
    to_legacy(claims)
    assert 0 < client.ttl(key_of(T)) <= LEASE_S
    assert claims.renew(T, "b") is True
    assert claims.renew(T, "somebody else") is False
    assert str(ask(claims, "c", "task-c")) == "task task-a"
    client.delete(key_of(T))  # as when its time is over
    assert ask(claims, "c", "task-c") is None


def test_the_next_step_reports_a_redis_that_lost_its_claims(claims, client):
    """The running workflow makes its claim again; who comes first has it."""
    ask(claims)
    claims.hold(T, "a", "w", is_end=False)
    client.flushdb()
    assert claims.hold(T, "a", "w", is_end=False) is True
    assert (claims.look(T).state, claims.look(T).workflow_id) == (RUNNING, "w")
    client.flushdb()
    assert to_legacy(claims) is None
    assert claims.hold(T, "a", "w", is_end=False) is False


def test_a_retry_of_an_ended_workflow_holds_its_transcript_again(claims):
    """A person had it run again: a second announcement waits for its end."""
    ask(claims)
    claims.hold(T, "a", "w", is_end=False)
    claims.end(T, "a")
    claims.hold(T, "a", "w", is_end=False)
    assert str(ask(claims, "c", "task-c")) == "workflow w"


GIVEN = '{"queue": "celery", "again": "the call", "task": "p", "kwargs": {}}'


@pytest.mark.parametrize(
    ("given", "is_begun", "is_ended", "token", "is_taken"),
    [
        pytest.param(GIVEN, True, False, "a", True, id="it runs, and has sent nothing"),
        pytest.param(GIVEN, False, False, "a", True, id="its first step has not begun"),
        pytest.param(GIVEN, True, True, "a", False, id="after finalize its effects may be out"),
        pytest.param(GIVEN, True, False, "x", False, id="another's turn"),
        pytest.param("", True, False, "a", False, id="a claim without its task"),
        pytest.param("{}", True, False, "a", False, id="a claim of an older plugin"),
    ],
)
def test_a_workflow_is_taken_over_before_its_first_effect_alone(
    client, claims, given, is_begun, is_ended, token, is_taken
):
    """Token and message change together, and later steps of the workflow are out of turn."""
    facts = {"task_id": "task-a", "route": "r", "at": 1.0, "queue": QUEUE, "message": b"m"}
    claims.ask(T, "a", **facts, given=given)
    if is_begun:
        claims.hold(T, "a", "w", is_end=False)
    if is_ended:
        claims.end(T, "a")
    now = {"new_token": "n", "reason": "it failed", "at": 5.0}
    assert claims.take_over(T, token, **now) is is_taken
    assert client.lrange("celery", 0, -1) == ([b"the call"] if is_taken else [])
    assert claims.take_over(T, token, **now) is False
    assert claims.hold(T, "a", "w", is_end=is_ended) is not is_taken
    if is_taken:
        other = ask(claims, "c", "task-a")
        assert (other.engine, other.task_id, other.reason) == (LEGACY, "task-a", "it failed")
        assert to_legacy(claims, "d", of=other.token) is None


def test_how_long_a_workflow_stands_still_is_seen_from_its_last_step(client, claims):
    """A claim that is only asked for counts from then; ended ones and legacy's are left out."""
    ask(claims)
    assert [(b.transcript_id, b.idle_s) for b in claims.begun(31.0)] == [(T, 30.0)]
    claims.hold(T, "a", "w", is_end=False)
    client.expire(key_of(T), RUN_S - 100)
    assert [round(b.idle_s) for b in claims.begun(31.0)] == [100]
    claims.end(T, "a")
    assert list(claims.begun(31.0)) == []
    to_legacy(claims)
    assert list(claims.begun(31.0)) == []

"""Whatever is killed, a run ends as if nothing had been: real steps, real servers, SIGKILL."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import cycle

import pytest

from reflector_migrate.model import STEP_NAMES, Usage
from reflector_migrate.pricing import is_counted
from reflector_migrate.sandbox.servers.postgres import postgres
from tests.restart_left import assert_as_if_undisturbed, left_by
from tests.restart_servers import SOAK, VERSIONS, servers_of, timed
from tests.restart_world import IN_TURN, LIMIT_S, SILENT_S, until

SERVERS = ("redis", "conductor")
DYING = {
    "pad_track": "redis", "transcribe_track": "conductor", "merge_transcripts": "redis",
    "detect_topics": "host", "finalize": "conductor", "send_webhook": "redis",
}  # fmt: skip
"""What dies while a step has done its work and not handed it in; in the order of the steps."""
if SOAK:
    in_turn = [step for step in IN_TURN if step != "detect_topics"]
    more = dict(zip(in_turn, cycle(SERVERS), strict=False))
    DYING = {step: more.get(step, "host") for step in IN_TURN}

pytestmark = [pytest.mark.live, pytest.mark.timeout(LIMIT_S)]


def test_every_step_is_killed_twice_and_the_run_is_as_if_undisturbed(drama, undisturbed):
    """Thirty SIGKILLs: row, events, effects, messages, objects equal; no paid call made again.

    In the live namespace: what is really sent, to Zulip and to the webhook, is sent once.
    """
    it = drama("live")
    it.order(*STEP_NAMES)
    it.begin(hosts=2)  # one works while the other's process starts anew
    found = it.end()
    assert {step: it.times("deaths", step) for step in STEP_NAMES} == dict.fromkeys(STEP_NAMES, 2)
    assert_as_if_undisturbed(it, found, undisturbed["live"])
    left = left_by(it.world)
    assert (len(left["zulip"]), len(left["hook"])) == (1, 1)
    assert_killed_attempts_told_what_they_used(found, undisturbed["live"])


def assert_killed_attempts_told_what_they_used(found, undisturbed):
    """Every paid call is in some attempt's account, and each account of a death says at least.

    Of an attempt that a JOIN cancelled (docs/decisions/0017) the server takes no account.
    """
    killed = [s for s in found.step_runs if s.status == "failed" and "was killed" in s.error]
    cut = [s for s in found.step_runs if s.status == "cancelled"]
    assert {s.name for s in killed} | {s.name for s in cut} == set(STEP_NAMES)
    assert all(s.usage.is_partial for s in killed)
    assert not any(s.usage.is_partial for s in found.step_runs if s.status == "completed")
    assert not any(map(is_counted, [*killed, *(s for s in cut if s.started)]))
    if cut:
        return
    used = sum((s.usage for s in found.step_runs), start=Usage())
    heard = [s for s in killed if s.name == "transcribe_track" and s.usage.gpu_seconds]
    assert heard  # died with all of it done, and the recogniser paid
    assert used.external_calls >= undisturbed["recogniser"] + undisturbed["llm"]
    assert used.llm_calls == undisturbed["llm"]


def test_a_database_that_is_killed_costs_time_and_nothing_else(drama, undisturbed, tmp_path):
    """SIGKILL for PostgreSQL during three steps' writes: each goes on once it is back, by itself.

    No attempt is spent on waiting: the table grants four, and an outage may be long.
    """
    with postgres(tmp_path / "postgres") as database:
        it = drama(database=database)
        # steps that have more to read or write after the write at which they are held
        stalled = ("get_recording", "merge_transcripts", "finalize")
        for step in stalled:
            it.hold(step, "stall")
        it.begin()
        for step in stalled:
            it.wait_for(step)
            database.kill()
            it.let_go(step, "stall")
            until(lambda step=step: "waiting: " in it.attempts(step)[-1][1], f"{step} waits")
            database.restart()
        found = it.end()
        assert [status for step in stalled for status, _ in it.attempts(step)] == ["completed"] * 3
        assert_as_if_undisturbed(it, found, undisturbed["shadow"])


@pytest.mark.parametrize("version", VERSIONS)
def test_killed_servers_and_hosts_cost_nothing_that_was_done(
    version, stage, drama, undisturbed, tmp_path
):
    """SIGKILL for Redis and for Conductor, early, midway and late; then for a whole worker host.

    In a soak amid every step. 3.15.0 keeps all it knows in that Redis. It looks for silent
    workers twice a minute only, so that the host is killed on 3.32.3 alone.
    """
    is_newest = version == VERSIONS[0]
    with ExitStack() as ends:
        if is_newest:
            servers = stage.servers
        else:
            servers = ends.enter_context(servers_of(version, tmp_path / "servers"))
        ends.enter_context(timed(servers, "detect_topics", responseTimeoutSeconds=SILENT_S))
        it = drama(servers=servers)
        dying = {step: what for step, what in DYING.items() if is_newest or what != "host"}
        for step in dying:
            it.hold(step)
        it.begin()
        for step, what in dying.items():
            until(lambda step=step: it.now() and it.times("held", step), f"{step} is held")
            kill(it, what)
            it.let_go(step)
            if what != "host":
                servers.restart(what)
        found = it.end()
        lost = ["timed_out"] if is_newest else []
        assert [status for status, _ in it.attempts("detect_topics")] == [*lost, "completed"]
        assert it.times("runs", "pad_track") == len(it.world.tracks)
        assert_as_if_undisturbed(it, found, undisturbed["shadow"])
        it.close()


def kill(it, what):
    """A server, or the worker host with all its processes."""
    if what == "host":
        it.hosts[0].kill()
    else:
        it.servers.kill(what)

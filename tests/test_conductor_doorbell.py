"""The doorbell: who waits for a step hears that it may be ready, and looks at once."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import pytest
import redis

from reflector_migrate.conductor.runtime import worker_process
from reflector_migrate.conductor.runtime.groups import Member
from reflector_migrate.conductor.runtime.in_flight_file import notes_beside, read
from reflector_migrate.conductor.wakeup import WakeupChannel
from reflector_migrate.harness import Harness
from reflector_migrate.model import Usage
from reflector_migrate.settings import Settings

FAR = "redis://127.0.0.1:9/2"


def bell(url, domain="d"):
    """A doorbell over a bus."""
    return WakeupChannel(
        Harness.of(Settings.model_validate({"candidate": {"bus_url": url}})), domain
    )


class Listening:
    """A listener until the end of the block."""

    def __init__(self, doorbell):
        self.doorbell, self.stop, self.heard = doorbell, threading.Event(), []
        self.thread = threading.Thread(target=doorbell.listen, args=(self.stop, self.heard.append))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def hears(self, *steps):
        """Whether the last ring named just these."""
        return bool(self.heard) and self.heard[-1] == frozenset(steps)


def until(is_so):
    """Wait until something is so."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.live
def test_a_ring_reaches_who_waits_in_the_same_domain_alone(redis_server):
    """Another build's workers, or another namespace's, are not called."""
    url = f"{redis_server}/3"
    with Listening(bell(url)) as ours, Listening(bell(url, "other")) as theirs:
        until(lambda: (bell(url).ring(["finalize"]), ours.hears("finalize"))[1])
        until(lambda: (bell(url, "other").ring(["pad_track"]), theirs.hears("pad_track"))[1])
        assert {step for steps in ours.heard for step in steps} == {"finalize"}
        bell(url).ring([])  # nothing follows the last step
    assert {step for steps in ours.heard for step in steps} == {"finalize"}


@pytest.mark.live
def test_a_foreign_ring_wakes_no_worker(redis_server):
    """And the listener goes on."""
    url = f"{redis_server}/3"
    with Listening(bell(url)) as ours, redis.Redis.from_url(url) as stranger:
        until(lambda: (bell(url).ring(["finalize"]), ours.hears("finalize"))[1])
        for text in ("", "[]", "7", '{"steps": 7}', '{"steps": [7, null]}', json.dumps("x")):
            stranger.publish("migrate:ready:d", text)
        bell(url).ring(["send_webhook"])
        until(lambda: ours.hears("send_webhook"))
    assert set().union(*ours.heard) == {"finalize", "send_webhook"}


def test_a_bus_that_is_away_stops_neither_the_ringing_nor_the_end():
    """Then the polls find what is there."""
    with Listening(bell(FAR)) as ours:
        bell(FAR).ring(["finalize"])
    assert ours.heard == []


class Desk:
    """Its polls are never answered; a look finds one task, once."""

    def __init__(self, stop):
        self.stop, self.asked, self.done = stop, [], threading.Event()
        self.there = [SimpleNamespace(
            task_id="t", task_def_name="finalize", workflow_instance_id="w", retry_count=0
        )]  # fmt: skip

    def take(self, _step):
        """Wait for ever."""
        self.stop.wait()

    def look(self, step, count):
        """What is there."""
        self.asked.append((step, count))
        found, self.there = self.there, []
        return found

    def hand_in(self, _result):
        """The end."""
        self.done.set()


class Bell:
    """Rings once, as soon as there is a listener, and keeps what is rung."""

    def __init__(self):
        self.rung = []

    def listen(self, _stop, answer):
        """Ring."""
        answer(frozenset({"finalize", "pad_track"}))

    def ring(self, steps):
        """Keep it."""
        self.rung.append(steps)


def test_a_ring_is_answered_while_every_poll_still_waits(monkeypatch):
    """For as many as there are slots, of steps of this process alone; then what follows is rung."""
    monkeypatch.setitem(worker_process.WORKERS, "finalize", lambda task, _harness: task)
    stop = threading.Event()
    desk, doorbell = Desk(stop), Bell()
    harness = SimpleNamespace(forget=lambda _task: None)
    ours = worker_process.WorkerProcess(Member("light", 8), desk, harness, doorbell)
    working = threading.Thread(target=ours.run, args=(stop, 5.0, lambda: None))
    working.start()
    try:
        assert desk.done.wait(20)
        until(lambda: doorbell.rung)
    finally:
        stop.set()
        working.join(20)
    assert desk.asked == [("finalize", 8)]
    assert doorbell.rung == [("cleanup_consent",)]


class Late(Desk):
    """Its look is answered only when the process has been asked to stop."""

    given_back = ()

    def look(self, step, count):
        """What is there, late."""
        self.stop.wait()
        time.sleep(0.3)
        return super().look(step, count)

    def give_back(self, task, **_about):
        """Keep it."""
        self.given_back = (*self.given_back, task.task_id)


def test_what_a_look_brings_while_draining_goes_back_before_the_end():
    """Else it would wait for its response timeout."""
    stop = threading.Event()
    desk, doorbell = Late(stop), Bell()
    harness = SimpleNamespace(meta_of_unfinished=lambda _task: {})
    ours = worker_process.WorkerProcess(Member("light", 8), desk, harness, doorbell)
    threading.Timer(0.2, stop.set).start()
    assert ours.run(stop, 5.0, lambda: None)
    assert desk.given_back == ("t",)


def test_what_went_back_unfinished_is_no_longer_written_down(tmp_path, monkeypatch):
    """Another may have it by now: a parent must not report it as dead."""
    monkeypatch.setenv("MIGRATE_READY_FILE", str(tmp_path / "0"))
    let_go, begun = threading.Event(), threading.Event()

    def hang(task, _harness):
        begun.set()
        let_go.wait(20)
        return task

    monkeypatch.setitem(worker_process.WORKERS, "finalize", hang)
    stop = threading.Event()
    desk = Late(stop)
    desk.look = lambda step, count: Desk.look(desk, step, count)
    harness = SimpleNamespace(
        forget=lambda _task: None,
        meta_of_unfinished=lambda _task: {},
        cut_short=lambda _task: Usage(),
    )
    ours = worker_process.WorkerProcess(Member("light", 8), desk, harness, Bell())
    written = notes_beside(tmp_path / "0")
    seen = []

    def end():
        begun.wait(20)
        seen.extend(read(written))
        stop.set()

    threading.Thread(target=end).start()
    assert not ours.run(stop, 0.5, lambda: None)
    let_go.set()
    assert [note.task_id for note in seen] == ["t"]
    assert desk.given_back == ("t",)
    assert read(written) == ()

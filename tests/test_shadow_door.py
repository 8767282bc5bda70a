"""Nothing is dropped because one of our servers is unreachable: the door of every task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from celery.exceptions import Reject

from reflector_migrate.errors import ConfigurationError, InputError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.sandbox.servers.postgres import PostgresServer
from reflector_migrate.settings import Settings
from reflector_migrate.shadow import app as door
from reflector_migrate.shadow.advance import FOREIGN_TRIES
from reflector_migrate.shadow.messages import REPORT, SPANS, SWEEP
from reflector_migrate.shadow.nightly import job
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.store.heartbeats import Heartbeats
from tests.new_stores import new_store


class Again(Exception):  # noqa: N818 - what Celery calls Retry
    """The message goes back to the broker, for so long."""


class Task:
    """A task as Celery binds it, with so many tries behind it."""

    def __init__(self, tries: int = 0, name: str = SPANS) -> None:
        self.name, self.request = name, SimpleNamespace(retries=tries)

    def retry(self, *, countdown: float, max_retries: int) -> Again:
        """What Celery raises."""
        return Again(countdown, max_retries)


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shadow:
    """A store of this test's own."""
    raw = {"store": {"url": f"sqlite:///{tmp_path}/s.db"}, "state_dir": tmp_path}
    settings = Settings.model_validate(raw)
    new_store(settings.store_url)
    made = Shadow(Harness.of(settings), lambda _run, _delay_s: None)
    monkeypatch.setattr(door, "shadow", lambda: made)
    return made


def _met(error: Exception, tries: int = 0) -> Any:
    def work(_world: Shadow) -> None:
        raise error

    try:
        return door.behind_door(work)(Task(tries))
    except Again as again:
        return again.args[0]


@pytest.mark.parametrize("error", [ServerUnreachableError("store"), ConfigurationError("half")])
def test_an_outage_is_waited_for(error: Exception):
    """Growing pauses of at most five minutes, for a day: 45 seconds lose nothing."""
    pauses = [_met(error, tries) for tries in range(door.RETRIES)]
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(pauses) == 300.0
    assert sum(pauses) > 23 * 3600
    assert _met(error, door.RETRIES) is None


@contextmanager
def _away(server: PostgresServer, url: str) -> Iterator[None]:
    """Our database accepts no connection in this block, and those that it had are cut."""
    name = url.rpartition("/")[2]
    plain = server.url().replace("+psycopg", "", 1)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        connection.execute(cut, (name,))
        yield
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


def test_an_outage_as_a_recording_begins_loses_neither_announcement_nor_timings(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    """On a real server; the messages that went back are taken up when it answers again."""
    url = postgres_server.create_database()
    new_store(url)
    harness = Harness.of(Settings.model_validate({"store": {"url": url}}))
    world = Shadow(harness, lambda _run, _delay_s: None)
    monkeypatch.setattr(door, "shadow", lambda: world)
    assert harness.spans.of("t") == ()  # a connection is there that will be cut
    known = {"transcript_id": "t", "task_id": "task"}
    messages = {
        door.dispatch: {**known, "bucket_name": "b", "track_keys": []},
        door.spans: {**known, "task": "a.task", "state": "SUCCESS", "started": 1.0,
                     "duration_s": 1.0, "spans": []},
    }  # fmt: skip

    with _away(postgres_server, url):
        for task, message in messages.items():
            with pytest.raises(Again):
                task.run.__func__(Task(), message)
    for task, message in messages.items():
        task.run.__func__(Task(), message)
    assert [run.state for run in harness.runs.of_transcript("t")] == ["claimed"]
    assert [span["task_id"] for span in harness.spans.of("t")] == ["task"]


def test_settings_that_cannot_be_read_are_an_outage_too(monkeypatch: pytest.MonkeyPatch):
    """A file that is half written when the process starts keeps the message, too."""

    def half() -> Shadow:
        raise ConfigurationError("migrate.toml: is it half written?")

    monkeypatch.setattr(door, "shadow", half)
    with pytest.raises(Again):
        door.behind_door(lambda _world: None)(Task())


def test_a_retry_that_the_broker_refuses_keeps_the_message():
    """Store and broker are away together: the broker gives the message out again."""

    def work(_world: Shadow) -> None:
        raise ServerUnreachableError("store")

    class Unsent(Task):
        def retry(self, **_: float) -> Again:
            raise Reject("the retry could not be sent", requeue=False)

    with pytest.raises(Reject) as met:
        door.behind_door(work)(Unsent())
    assert met.value.requeue


def test_a_night_that_another_process_has_is_looked_at_again(world: Shadow):
    """That process may have been killed: the message comes again until no night is due."""
    beats, at = world.harness.heartbeats, world.now()
    until = at + job.LEASE
    assert beats.lease(job.LOCK, at, until)
    report = door.nightly_report.run.__func__
    with pytest.raises(Again):
        report(Task(name=REPORT))
    assert beats.last(REPORT) is None
    beats.release(job.LOCK, until, at)
    report(Task(name=REPORT))
    assert beats.last(REPORT) is not None


def test_what_can_never_be_read_ends_and_a_foreign_error_is_bounded():
    """A message without its field is refused at once; a fault of the code after some tries."""
    assert _met(InputError("no transcript_id")) is None
    assert _met(RuntimeError("words"), FOREIGN_TRIES - 1) is not None
    assert _met(RuntimeError("words"), FOREIGN_TRIES) is None


def test_a_task_of_beats_leaves_the_time_of_its_end(world: Shadow):
    """Only when it came to its end."""
    beats = Heartbeats(world.settings.store_url)
    door.behind_door(lambda _world: None)(Task(name=SPANS))
    assert beats.last(SWEEP) is None
    door.behind_door(lambda _world: None)(Task(name=SWEEP))
    assert beats.last(SWEEP) is not None

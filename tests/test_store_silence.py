"""A database or a bus that takes connections and says nothing delays no process for long."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
import pytest
from sqlalchemy import text

from reflector_migrate.clients.connections import redis_at
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.errors import OutageError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.contracts import Track
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.pipeline.services.events import Bus
from reflector_migrate.sandbox.servers.postgres import PostgresServer
from reflector_migrate.settings import Settings
from reflector_migrate.store import psycopg_timeout
from reflector_migrate.store.base import engine_for, reading, unhurried, writing
from reflector_migrate.store.migrate import upgrade
from tests.a_run import RAW, RUN

pytestmark = pytest.mark.heavy

TIGHTEST_S = 15  # the fork helper's response timeout
SHORT_S = 1.0


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    """The whole server asleep: its kernel takes what is sent, and there is no answer."""
    record = server.starter.records.find(server.process.name)
    assert record is not None
    leader = psutil.Process(record.pid)
    family = [leader]
    try:
        leader.suspend()  # first: from here on it starts no child and buries none
        family += leader.children(recursive=True)
        for process in family:
            process.suspend()
        yield
    finally:
        for process in reversed(family):
            process.resume()


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a server that accepts and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as door:
        yield door.getsockname()[1]


def took(call) -> float:
    """Seconds that a call takes."""
    began = time.monotonic()
    call()
    return time.monotonic() - began


def test_an_answer_is_waited_for_less_long_than_any_step_may_be_silent() -> None:
    """Told before and after the step: the first wait is the only one."""
    assert psycopg_timeout.SILENCE_S + psycopg_timeout.CONNECT["connect_timeout"] + 2 < TIGHTEST_S


@pytest.mark.live
@pytest.mark.parametrize("which", [reading, writing])
def test_a_stopped_database_is_given_up_and_found_again(
    which, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether one reads or writes; the connection is not used again."""
    monkeypatch.setattr(psycopg_timeout, "SILENCE_S", SHORT_S)
    url = postgres_server.create_database()

    def ask() -> None:
        with which(url) as connection:
            connection.execute(text("select 1"))

    ask()
    with stopped(postgres_server):
        assert took(lambda: _refused(ask)) < 5 + 3 * SHORT_S
        assert took(lambda: _refused(ask)) < 5 + 3 * SHORT_S
    ask()


@pytest.mark.live
def test_silence_in_the_midst_of_a_transaction_is_an_outage_of_the_step(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker gives the task back for a while, at the cost of no attempt."""
    monkeypatch.setattr(psycopg_timeout, "SILENCE_S", SHORT_S)
    rows = Rows.at(postgres_server.create_database())
    with rows.engine.connect() as connection:
        connection.execute(text("select 1"))  # one stands open in the pool
    with stopped(postgres_server), pytest.raises(OutageError):
        rows.get_transcript("tr-1")


def test_a_slow_answer_that_keeps_coming_is_not_silence(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is on silence, not on how long there is to read."""
    monkeypatch.setattr(psycopg_timeout, "SILENCE_S", SHORT_S)
    many = text("select repeat('x', 20000), pg_sleep(0.01) from generate_series(1, 160)")
    with reading(postgres_server.create_database()) as connection:
        assert took(lambda: connection.execute(many).all()) > SHORT_S


def test_migrations_may_take_as_long_as_they_do(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the bound stands again afterwards."""
    monkeypatch.setattr(psycopg_timeout, "SILENCE_S", SHORT_S / 2)
    nap = text("select pg_sleep(1)")
    with reading(postgres_server.create_database()) as connection, unhurried(connection):
        connection.execute(nap)
    with (
        pytest.raises(ServerUnreachableError),
        reading(postgres_server.create_database()) as connection,
    ):
        connection.execute(nap)


def test_a_server_that_accepts_and_never_answers_is_given_up(mute: int) -> None:
    """Already while one connects."""

    def ask() -> None:
        with reading(_at(mute)):
            pass

    assert took(lambda: _refused(ask)) < 5


def test_a_frozen_peer_is_noticed_by_the_kernel(postgres_url: str) -> None:
    """Keepalives and a bound on what is sent and never acknowledged."""
    with engine_for(postgres_url).connect() as connection:
        said = connection.connection.dbapi_connection.info.get_parameters()
    assert said["keepalives_idle"] == "10"
    assert said["tcp_user_timeout"] == "10000"


def _refused(ask) -> None:
    with pytest.raises(ServerUnreachableError):
        ask()


def _at(port: int) -> str:
    return f"postgresql+psycopg://u:p@127.0.0.1:{port}/none"


@pytest.mark.live
def test_one_stuck_writer_holds_up_no_other_step(postgres_server: PostgresServer, tmp_path) -> None:
    """Eight slots publish at once to a store that sleeps: none is away as long as a step may be."""
    url = postgres_server.create_database()
    upgrade(url)
    settings = _settings(url, "redis://127.0.0.1:9/2")
    Progress(Harness.of(settings)).started("get_recording", RAW)
    waited: list[float] = []

    def tell() -> None:
        waited.append(took(lambda: Progress(Harness.of(settings)).started("finalize", RAW)))

    with stopped(postgres_server):
        threads = [threading.Thread(target=tell) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(waited) == 8
        assert max(waited) < TIGHTEST_S - 2
        assert sorted(waited)[-2] < psycopg_timeout.SILENCE_S - 2  # all but the one who found out
        assert took(lambda: Progress(Harness.of(settings)).completed("finalize", RAW)) < 2


def test_a_mute_bus_is_tried_once_and_then_left_alone(mute: int, tmp_path) -> None:
    """Ninety-two messages of a plan do not each wait for it."""
    settings = _settings(f"sqlite:///{tmp_path / 'store.db'}", f"redis://127.0.0.1:{mute}/2")
    upgrade(settings.store_url)
    tracks = [Track(track_index=i, s3_key=f"k{i}") for i in range(40)]
    assert took(lambda: Progress(Harness.of(settings)).planned(RUN, tracks)) < 5


def test_a_bus_that_answers_again_is_used_again(redis_server: str, monkeypatch) -> None:
    """It is left alone for seconds, not for good; one that refuses at once costs no time."""
    monkeypatch.setattr("reflector_migrate.pipeline.services.events.LEFT_ALONE_S", 0.3)
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as door:
        bus = Bus(redis_at(f"redis://127.0.0.1:{door.getsockname()[1]}/0"))
        assert took(lambda: bus.publish("ts:1", {})) < 4
        assert not bus.publish("ts:1", {})
    time.sleep(0.4)
    assert Bus(redis_at(f"{redis_server}/0")).publish("ts:1", {})
    assert took(lambda: bus.publish("ts:1", {})) < 1


def _settings(store: str, bus: str) -> Settings:
    return Settings.model_validate({"store": {"url": store}, "candidate": {"bus_url": bus}})

"""Real servers shared by the tests: started at first use, stopped at the end, never left behind.

A fixture whose server cannot start fails its tests; nothing is skipped.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reflector_migrate.sandbox.jvm_cache import build
from reflector_migrate.sandbox.layout import ROUTES
from reflector_migrate.sandbox.process import marked
from reflector_migrate.sandbox.servers.postgres import PostgresServer, postgres
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from reflector_migrate.settings import Settings
from tests.lifetimes import end_after, in_order_of_use, until_last_use
from tests.new_stores import new_store
from tests.patience import PATIENT

SESSION_MARK = "REFLECTOR_TEST_SESSION"  # inherited by everything the tests start
_LEAVE_S = 5.0
_WHOLE_RUN = 10  # live tests in one run
_SHOWN_OF_FIRST_TRY = 4000  # characters, from the end


# The tests start hundreds of Python processes; each would compile everything that it imports.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure() -> None:
    """Signals reach what the tests start, even if the parent of the tests ignores them."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Tests of the same servers follow one another; before several processes, long files first."""
    yield
    items[:] = in_order_of_use(items)
    if "PYTEST_XDIST_WORKER" in os.environ:  # so that none of them ends long after the other
        heavy = {item.path for item in items if item.get_closest_marker("heavy")}
        items.sort(key=lambda item: item.path not in heavy)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Servers that are no longer used are stopped."""
    done = yield
    end_after(item)
    return done


def pytest_collection_finish(session: pytest.Session) -> None:
    """Before a whole live run, make Conductor quick to boot: it pays after a few boots.

    No Conductor of ours lives long enough to be worth the JVM's thorough compiler, which takes
    half of its processor time.
    """
    live = [item for item in session.items if item.get_closest_marker("live")]
    if len(live) >= _WHOLE_RUN and not session.config.option.collectonly:
        build(PATIENT, lambda line: sys.stderr.write(f"{line}\n"))
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show why a test needed its second chance: a pass that follows must not hide it."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"first try of {report.nodeid}", sep="_")
        terminalreporter.line(report.longreprtext[-_SHOWN_OF_FIRST_TRY:])


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """Fail the session if any process started by a test outlives it."""
    word = secrets.token_hex(8)
    os.environ[SESSION_MARK] = word
    yield
    deadline = time.monotonic() + _LEAVE_S
    while (left := marked(SESSION_MARK, word)) and time.monotonic() < deadline:
        time.sleep(0.1)
    commands = [" ".join(process.cmdline())[:200] for process in left if process.is_running()]
    for process in left:
        process.kill()
    del os.environ[SESSION_MARK]
    assert not commands, f"left behind by the tests: {commands}"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The whole sandbox on Conductor 3.32.3, shadow flag on, with its own settings."""
    started = Sandbox(PATIENT, tmp_path_factory.mktemp("stack"), shadow=True)
    with until_last_use("stack", started) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Real servers whose recordings can be routed to Conductor; a workflow may fall back.

    CONDUCTOR_VERSION names another server than 3.32.3.
    """
    started = Sandbox(
        PATIENT,
        tmp_path_factory.mktemp("routed"),
        with_=("conductor", "redis", "s3", "standins", "legacy", *ROUTES),
        changes={"route": {"fallback_after_start": "before_first_effect", "stall_s": 90}},
        conductor_version=os.environ.get("CONDUCTOR_VERSION"),
    )
    with until_last_use("routed", started) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def conductor_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A Conductor 3.32.3 with our definitions and nothing else; the settings that lead to it."""
    folder = tmp_path_factory.mktemp("conductor")
    started = Sandbox(PATIENT, folder, with_=("conductor",))
    with until_last_use("conductor_server", started) as sandbox:
        yield sandbox.settings


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis; its URL without a database number, as redis://127.0.0.1:PORT."""
    with Sandbox(PATIENT, tmp_path_factory.mktemp("redis"), with_=("redis",)) as sandbox:
        yield sandbox.settings.reflector.bus_url.rpartition("/")[0]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A local S3 with the four buckets; settings.s3 says how to reach it."""
    with Sandbox(PATIENT, tmp_path_factory.mktemp("s3"), with_=("s3",)) as sandbox:
        yield sandbox.settings


@pytest.fixture(scope="session")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The stand-ins of the outside services; settings.services says how to reach each."""
    with Sandbox(PATIENT, tmp_path_factory.mktemp("standins"), with_=("standins",)) as sandbox:
        yield sandbox.settings


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """An S3 of this file's own."""
    from tests.sources_world import local_s3

    with local_s3() as url:
        yield url


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandinControl]:
    """The outside services, of this file's own, without recordings."""
    with running_standins(tmp_path_factory.mktemp("none")) as url, StandinControl(url) as control:
        yield control


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A client that no proxy setting leads astray."""
    with httpx.Client(timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Sound that the tests of this run, in whatever process, make but once."""
    from tests.defects_sound import Sounds

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    (folder / "sounds").mkdir(exist_ok=True)
    return Sounds(folder / "sounds")


@pytest.fixture(scope="module")
def defects_world(
    s3_url: str, tmp_path_factory: pytest.TempPathFactory, sounds: Any
) -> Iterator[Any]:
    """Both engines in one process, on the fixture recordings; a primary runs each but once."""
    from tests.defects_world import RECORDINGS, DefectsWorld

    with running_standins(RECORDINGS) as url, StandinControl(url) as control:
        yield DefectsWorld.made(tmp_path_factory.mktemp("defects"), s3_url, control, sounds)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Conductor for real workers that hang and die, and the world they work on."""
    from tests.restart_servers import staged  # heavy, and for a few live tests only

    with until_last_use("stage", staged(tmp_path_factory.mktemp("stage"))) as stage:
        yield stage


@pytest.fixture(scope="session")
def undisturbed(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run leaves on that stage that nothing disturbs, by namespace."""
    from tests.restart_left import left_undisturbed

    return left_undisturbed(stage, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def drama(stage: Any, tmp_path: Path) -> Iterator[Any]:
    """Makes dramas of the test's own on that stage."""
    from tests.restart_world import dramas

    with dramas(stage, tmp_path) as make:
        yield make


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A real PostgreSQL, shared by the session."""
    with postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The SQLAlchemy URL of an empty database of this test's own."""
    return postgres_server.create_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy URL of an empty store of the newest schema, on each database."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path / 'store.db'}"
    else:
        found = request.getfixturevalue("postgres_url")
    new_store(found)
    return found


@pytest.fixture(scope="session", params=["3.32.3", "3.15.0"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A Conductor of each version with our definitions, times scaled down."""
    from tests.conductor_world import server_of  # as above: for live tests only

    started = server_of(request.param, tmp_path_factory.mktemp("server"))
    with until_last_use("server", started) as settings:
        yield settings


@pytest.fixture
def domain(server: Settings) -> Any:
    """That server, with a task domain of this test's own."""
    from tests.conductor_world import in_own_domain

    return in_own_domain(server)


@pytest.fixture
def workers(domain: Settings, tmp_path: Path) -> Iterator[Any]:
    """Starts worker hosts of the test's own in that domain."""
    from tests.conductor_world import hosts_of

    with hosts_of(domain, tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def shared(server: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One host of all groups for the tests that need no other, and the settings that lead to it."""
    from tests.conductor_world import hosts_of, in_own_domain

    settings = in_own_domain(server)
    with hosts_of(settings, tmp_path_factory.mktemp("shared")) as start:
        host = start()
        yield settings, host
        assert host.stop() < 10.0


@pytest.fixture
def ordered(shared: Any) -> Any:
    """The shared host's settings, and a way to give it orders for this test."""
    settings, host = shared

    def order(**orders: Any) -> Any:
        host.order(**orders)
        return host

    order()
    return settings, order

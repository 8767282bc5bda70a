"""The seam between server versions, and who we say we are."""

from __future__ import annotations

from pathlib import Path

import pytest

import reflector_migrate
from reflector_migrate.clients.conductor import ConductorClient
from reflector_migrate.clients.conductor_http import auth_headers
from reflector_migrate.conductor.build import SILENT, build_hash, hash_of
from reflector_migrate.conductor.health import health, health_url
from reflector_migrate.conductor.server_version import parse_version
from reflector_migrate.conductor.task_domain import (
    identity,
    parse_worker_id,
    task_domain,
    task_to_domain,
)
from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.contracts import contract_hash
from reflector_migrate.settings import ConductorSettings, Settings


@pytest.mark.parametrize(
    ("text", "is_current", "is_told"),
    [
        pytest.param("3.32.3", True, True, id="current"),
        pytest.param("3.15.0", False, True, id="the seed's"),
        pytest.param('"3.21.20"', True, True, id="quoted"),
        pytest.param("3.32.3-SNAPSHOT", True, True, id="with a suffix"),
        pytest.param(None, False, False, id="not told"),
        pytest.param("", False, False, id="empty"),
        pytest.param("unknown", False, False, id="no number"),
    ],
)
def test_a_version_says_what_the_server_can(text, is_current, is_told):
    """A server that does not report its version is taken for the older line."""
    version = parse_version(text)
    assert version.caps_retry_delay is is_current
    assert version.knows_join_mode is is_current
    assert version.wakes_waiting_polls is is_current
    assert version.is_told is is_told


def test_the_domain_carries_the_contract_and_the_namespace():
    """Another contract, or another namespace, is another queue."""
    shadow, live = task_domain(Settings(), "shadow"), task_domain(Settings(), "live")
    assert contract_hash() in shadow
    assert shadow != live
    assert task_domain(Settings()) == shadow
    assert set(task_to_domain(Settings(), "live")) == set(STEP_NAMES)
    chosen = Settings.model_validate({"conductor": {"domain": "mine"}})
    assert task_domain(chosen, "live") == "mine"


@pytest.mark.parametrize(
    ("worker_id", "expected"),
    [
        pytest.param("host:12:abc", ("host", "12", "abc"), id="ours"),
        pytest.param("fe80::1:12:abc", ("fe80::1", "12", "abc"), id="colons in the host"),
        pytest.param("some-host", None, id="the SDK's own"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_worker_id_is_read_back(worker_id, expected):
    """What is not of our form is a stranger."""
    assert parse_worker_id(worker_id) == expected


def test_a_process_says_who_it_is():
    """Host, pid, build and contract."""
    who = identity()
    assert parse_worker_id(who.worker_id) == (who.host, str(who.pid), build_hash())
    assert who.contract == contract_hash()


def test_the_build_changes_with_any_source(tmp_path):
    """Content and names count, other files do not."""
    (tmp_path / "a.py").write_text("x = 1")
    first = hash_of(tmp_path)
    (tmp_path / "notes.txt").write_text("no source")
    assert hash_of(tmp_path) == first
    (tmp_path / "a.py").write_text("x = 2")
    second = hash_of(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, hash_of(tmp_path)}) == 3


@pytest.mark.parametrize(
    ("after", "is_same"),
    [
        pytest.param('"""Other words."""\n\nx = 1  # why\n', True, id="a docstring and a comment"),
        pytest.param('"""Says."""\nx = (\n    1\n)\n', True, id="layout"),
        pytest.param('"""Says."""\nx = "1"\n', False, id="a text in place of a number"),
        pytest.param('"""Says."""\nx = 1\ny = """Says."""\n', False, id="a text that is used"),
    ],
)
def test_only_code_makes_another_build(tmp_path, after, is_same):
    """A corrected help text does not take evidence and signatures away."""
    (tmp_path / "a.py").write_text('"""Says."""\nx = 1\n')
    before = hash_of(tmp_path)
    (tmp_path / "a.py").write_text(after)
    assert (hash_of(tmp_path) == before) is is_same


def test_rooms_that_change_no_output_are_left_out(tmp_path):
    """What only shows or decides is the same build whatever it says; its neighbours are not."""
    for name in ("cli/a.py", "judge/gates/a.py", "judge/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1")
    before = hash_of(tmp_path, SILENT)
    (tmp_path / "cli/a.py").write_text("x = 2")
    (tmp_path / "judge/gates/a.py").write_text("x = 2")
    assert hash_of(tmp_path, SILENT) == before
    (tmp_path / "judge/a.py").write_text("x = 2")
    assert hash_of(tmp_path, SILENT) != before


def test_each_silent_room_exists():
    """A room that was renamed would count again unseen."""
    folder = Path(reflector_migrate.__file__).parent
    assert [name for name in SILENT if not (folder / name).exists()] == []


def test_the_build_is_kept_by_what_the_files_hold(tmp_path, monkeypatch):
    """A second process reads the answer; without a cache folder it is made again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = build_hash.__wrapped__()
    [kept] = (tmp_path / "reflector-migrate").iterdir()
    assert kept.read_text() == made
    kept.write_text("0" * len(made))
    assert build_hash.__wrapped__() == "0" * len(made)
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept))
    assert build_hash.__wrapped__() == made


@pytest.mark.parametrize(
    ("setting", "headers"),
    [
        pytest.param(None, {}, id="none"),
        pytest.param("Bearer abc", {"Authorization": "Bearer abc"}, id="a value"),
        pytest.param("X-Key: abc", {"X-Key": "abc"}, id="a header"),
    ],
)
def test_a_proxy_in_front_gets_its_header(setting, headers):
    """Conductor has no authentication of its own."""
    assert auth_headers(ConductorSettings(auth_header=setting)) == headers


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("http://h:1/api", "http://h:1/health", id="plain"),
        pytest.param("http://h:1/api/", "http://h:1/health", id="slash at the end"),
        pytest.param("http://papi/api", "http://papi/health", id="letters of /api end the host"),
    ],
)
def test_health_is_beside_the_api(url, expected):
    """A suffix is removed, not characters."""
    settings = Settings.model_validate({"conductor": {"server_url": url}})
    assert health_url(settings) == expected


@pytest.fixture
def nowhere():
    """Settings that lead to a port without a listener."""
    url = "http://127.0.0.1:9/api"
    return Settings.model_validate({"conductor": {"server_url": url, "connect_timeout_s": 0.2}})


def test_a_server_that_is_down_is_unhealthy_not_an_error(nowhere):
    """Health never raises: a route depends on it."""
    found = health(nowhere)
    assert not found.is_healthy
    assert found.reason


def test_a_server_that_is_down_is_one_clear_error(nowhere):
    """The client names the address and the way out, after a bounded number of tries."""
    with pytest.raises(ServerUnreachableError, match=r"127\.0\.0\.1:9") as raised:
        ConductorClient(nowhere).running("x", 1)
    assert raised.value.hint

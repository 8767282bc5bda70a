"""No spelling of the primary's places passes for the candidate's own, and no rows of its go."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from reflector_migrate.cutover.infrastructure import namespaces_are_separate
from reflector_migrate.errors import ConfigurationError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.namespace_guard import shared_on_servers
from reflector_migrate.pipeline.rows import Rows, create_all, restore, snapshot, wipe, write_mark
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.provision import provision
from reflector_migrate.shadow.snapshot import require_separate
from reflector_migrate.store.identity import are_one_database
from tests.recorded_world import fill, recorded_rows


def _settings(folder: Path, primary: str, candidate: str, store: str | None = None) -> Settings:
    return Settings.model_validate(
        {
            "state_dir": folder,
            "store": {"url": store or f"sqlite:///{folder}/store.db"},
            "reflector": {"database_url": primary, "data_dir": folder / "data"},
            "candidate": {"database_url": candidate, "data_dir": folder / "shadow-data"},
        }
    )


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """The primary's database as a file, with a recording in it."""
    url = f"sqlite:///{tmp_path}/p.db"
    create_all(url)
    fill(Rows.at(url), recorded_rows("good"), "http://hook")
    return url


@pytest.fixture
def server_url(postgres_url: str) -> str:
    """The primary's database on a server, with a recording in it and logins that read and write."""
    create_all(postgres_url)
    fill(Rows.at(postgres_url), recorded_rows("good"), "http://hook")
    with psycopg.connect(_plain(postgres_url), autocommit=True) as connection:
        for name in ("reader", "writer"):
            if not connection.execute(
                "select 1 from pg_roles where rolname = %s", [name]
            ).fetchone():
                connection.execute(f"create role {name} login password 'word'".encode())
        connection.execute(b"grant select on all tables in schema public to reader")
        connection.execute(b"grant all on all tables in schema public to writer")
    return postgres_url


def _plain(url: str) -> str:
    return url.replace("+psycopg", "", 1)


def _as(url: str, login: str, *, host: str = "", query: str = "", driver: str = "") -> str:
    """The same database for another login, by another name of its host."""
    parts = urlsplit(url)
    return parts._replace(
        scheme=driver or parts.scheme,
        netloc=f"{login}:word@{host or parts.hostname}:{parts.port}",
        query=query,
    ).geturl()


@pytest.mark.parametrize("spelling", ["link", "hard link", "dots", "uri", "relative"])
def test_a_file_under_another_spelling_is_the_same_database(
    tmp_path: Path, file_url: str, spelling: str
) -> None:
    """The file is looked at, not its name; both settings are named."""
    other = tmp_path / "other.db"
    if spelling == "link":
        other.symlink_to(tmp_path / "p.db")
    if spelling == "hard link":
        os.link(tmp_path / "p.db", other)
    spelled = {
        "dots": f"sqlite:///{tmp_path}/x/../p.db",
        "uri": f"sqlite:///file:{tmp_path}/p.db?uri=true",
        "relative": f"sqlite:///{os.path.relpath(tmp_path / 'p.db')}",
    }.get(spelling, f"sqlite:///{other}")
    (tmp_path / "x").mkdir()
    for settings in (
        _settings(tmp_path, file_url, spelled),
        _settings(tmp_path, file_url, f"sqlite:///{tmp_path}/c.db", spelled),
    ):
        with pytest.raises(ConfigurationError, match=r"reflector\.database_url"):
            require_separate(settings)
    with pytest.raises(ConfigurationError, match=r"candidate\.database_url"):
        require_separate(_settings(tmp_path, file_url, spelled))


@pytest.mark.heavy
@pytest.mark.parametrize(
    "other",
    [
        pytest.param({}, id="two logins"),
        pytest.param({"host": "localhost"}, id="another name of the host"),
        pytest.param({"query": "sslmode=disable"}, id="a setting of the connection"),
    ],
)
def test_a_server_says_that_two_texts_are_one_database(
    tmp_path: Path, server_url: str, other: dict[str, str]
) -> None:
    """The recommended set-up, a login that reads and one that writes, cannot meet unseen."""
    reads, writes = _as(server_url, "reader"), _as(server_url, "writer", **other)
    with pytest.raises(ConfigurationError, match=r"candidate\.database_url and reflector"):
        require_separate(_settings(tmp_path, reads, writes))
    with pytest.raises(ConfigurationError, match=r"store\.url and reflector"):
        require_separate(_settings(tmp_path, reads, f"sqlite:///{tmp_path}/c.db", writes))
    refused = namespaces_are_separate(Harness.of(_settings(tmp_path, reads, writes)))
    assert refused.state.value == "fail"
    assert "word" not in refused.why


@pytest.mark.heavy
def test_a_login_that_may_not_ask_the_server_who_it_is_still_finds_out(
    postgres_server, server_url: str
) -> None:
    """A lock that one login takes is met by the other: in one database only."""
    revoke = b"revoke execute on function pg_control_system() from public"
    with psycopg.connect(_plain(server_url), autocommit=True) as connection:
        connection.execute(revoke)
    elsewhere = postgres_server.create_database()
    reads, writes = _as(server_url, "reader"), _as(server_url, "writer", host="localhost")
    assert are_one_database(reads, writes)
    with psycopg.connect(_plain(elsewhere), autocommit=True) as connection:
        connection.execute(revoke)
    assert not are_one_database(reads, _as(elsewhere, "writer"))


@pytest.mark.heavy
def test_another_database_on_the_same_server_is_apart(
    tmp_path: Path, postgres_server, server_url: str
) -> None:
    """A server may hold both: a database each."""
    ours = postgres_server.create_database()
    settings = _settings(tmp_path, _as(server_url, "reader"), ours)
    assert shared_on_servers(settings) == ()
    assert namespaces_are_separate(Harness.of(settings)).state.value == "pass"


@pytest.mark.parametrize(
    "url_of", ["file_url", pytest.param("server_url", marks=pytest.mark.heavy)]
)
def test_rows_without_our_mark_stay_even_if_the_guard_is_passed_by(
    request: pytest.FixtureRequest, tmp_path: Path, url_of: str
) -> None:
    """Neither erased nor replaced nor marked, and our store is not begun beside them."""
    url = request.getfixturevalue(url_of)
    rows = Rows.at(url)
    recording = recorded_rows("good")["recording"][0]["id"]
    before = snapshot(rows, recording)
    other = {**before, "transcript": [{**before["transcript"][0], "status": "idle", "title": "x"}]}
    for write in (
        lambda: wipe(rows, recording),
        lambda: restore(rows, other),
        lambda: write_mark(url),
        lambda: provision(
            Harness.of(_settings(tmp_path, f"sqlite:///{tmp_path}/elsewhere.db", url))
        ),
    ):
        with pytest.raises(RefusedError, match="mark"):
            write()
    assert snapshot(rows, recording) == before
    assert not (tmp_path / "store.db").exists()


def test_a_mark_is_of_one_owner(tmp_path: Path) -> None:
    """What stands in for the primary in a sandbox is never the candidate's, and a mark stays."""
    url = f"sqlite:///{tmp_path}/c.db"
    write_mark(url, "stand-in")
    write_mark(url, "stand-in")
    create_all(url)
    with pytest.raises(RefusedError, match="stand-in"):
        write_mark(url)
    with pytest.raises(RefusedError, match="candidate"):
        wipe(Rows.at(url), "r")
    wipe(Rows.at(url), "r", "stand-in")


def test_a_redis_without_a_prefix_is_asked_which_one_it_is(
    tmp_path: Path, redis_server: str
) -> None:
    """Channels are a server's: two names of one are refused, and so is one that cannot say."""
    port = urlsplit(redis_server).port
    apart = _settings(tmp_path, f"sqlite:///{tmp_path}/p.db", f"sqlite:///{tmp_path}/c.db")

    def with_buses(ours: str, theirs: str, prefix: str) -> Settings:
        candidate = {"bus_url": ours, "channel_prefix": prefix}
        return apart.model_copy(
            update={
                "candidate": apart.candidate.model_copy(update=candidate),
                "reflector": apart.reflector.model_copy(update={"bus_url": theirs}),
            }
        )

    names = f"redis://localhost:{port}/2", f"redis://127.0.0.1:{port}/0"
    for found in (with_buses(*names, ""), with_buses("redis://127.0.0.1:1/0", names[1], "")):
        assert [place.ours for place in shared_on_servers(found)] == ["candidate.channel_prefix"]
    assert shared_on_servers(with_buses(*names, "shadow:")) == ()

"""The routing table's versions: log and broker, and the way back with any of them down."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner

from reflector_migrate.cli.main import cli, main
from reflector_migrate.cutover import routes
from reflector_migrate.cutover.widening import widens
from reflector_migrate.errors import InputError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.plugin.reflector_route_table import KEY, Room, Table
from reflector_migrate.sandbox.ports import free_ports
from reflector_migrate.settings import load_settings
from reflector_migrate.store.audit import Audit
from tests.new_stores import new_store

WHO = ("--who", "ana", "--why", "a reason")


def settings_with(folder: Path, broker: str, *, store: str | None = None, back: bool = True):
    """Settings in a file of this folder, which commands read as well."""
    url = store or f"sqlite:///{folder}/store.db"
    lines = [f'[store]\nurl = "{url}"', f'[reflector]\nbroker_url = "{broker}"']
    lines += [f'[route]\nback_file = "{folder}/back"'] if back else []
    (folder / "migrate.toml").write_text("\n".join(lines))
    return load_settings(folder / "migrate.toml", environ={})


@pytest.fixture
def broker(redis_server):
    """An empty database of a real Redis."""
    url = f"{redis_server}/6"
    redis.Redis.from_url(url).flushdb()
    return url


@pytest.fixture
def nobody():
    """The URL of a Redis that is not there."""
    return f"redis://127.0.0.1:{free_ports(('none',))['none']}/0"


@pytest.fixture
def settings(tmp_path, broker):
    """A store with tables, a broker, and the name of a back file."""
    made = settings_with(tmp_path, broker)
    new_store(made.store_url)
    return made


def route(folder: Path, *words: str):
    """What `migrate route` answers."""
    return CliRunner().invoke(cli, ["--config", f"{folder}/migrate.toml", "route", *words])


def test_each_change_is_a_version_with_who_and_why(settings):
    """The log has all of them, the broker the newest."""
    first = routes.change(
        Harness.of(settings), Table(0, "conductor+fallback", 0.01), "ana", "canary"
    )
    second = routes.change(Harness.of(settings), Table(0, "conductor", 0.5), "ben", "half")
    assert (first.version, second.version) == (1, 2)
    assert (
        routes.published(Harness.of(settings)).table
        == routes.in_log(Harness.of(settings))
        == second
    )
    entries = Audit(settings.store_url).all("route")
    assert [(e["body"]["who"], e["body"]["why"]) for e in entries] == [
        ("ana", "canary"), ("ben", "half"),
    ]  # fmt: skip


def test_a_table_that_workers_would_not_read_is_not_published(settings):
    """The field is named, and neither log nor broker has it."""
    with pytest.raises(InputError, match=r"rooms\.a\.share"):
        routes.change(
            Harness.of(settings), Table(0, rooms={"a": Room("celery", 2.0)}), "ana", "typo"
        )
    assert routes.published(Harness.of(settings)).fault == "no table is published"
    assert Audit(settings.store_url).all("route") == ()


def test_what_stands_in_the_broker_and_is_not_a_table_is_named(settings, broker):
    """A worker answers celery then, and the command says why."""
    redis.Redis.from_url(broker).set(KEY, "{")
    assert routes.published(Harness.of(settings)).fault == "routing table: not JSON"
    assert routes.change(Harness.of(settings), Table(0, "conductor"), "ana", "mend").version == 1
    assert routes.published(Harness.of(settings)).table is not None


def test_an_older_version_never_replaces_a_newer_one(settings):
    """Two who change at once: the second hears that it was not the first."""
    routes.change(Harness.of(settings), Table(0, "conductor"), "ana", "one")
    with pytest.raises(routes.RefusedError, match="version 1 is published already"):
        routes._publish(Harness.of(settings), Table(1, "celery"))


def test_a_change_without_a_broker_is_an_error(tmp_path, nobody):
    """No listener would hear of it."""
    settings = settings_with(tmp_path, nobody)
    new_store(settings.store_url)
    with pytest.raises(ServerUnreachableError, match="the broker does not answer"):
        routes.change(Harness.of(settings), Table(0, "conductor"), "ana", "canary")


@pytest.mark.parametrize(
    ("has_store", "has_broker", "has_file"),
    [
        pytest.param(
            *row,
            id=", ".join(
                f"{name} {'there' if is_there else 'away'}"
                for name, is_there in zip(("store", "broker", "file"), row, strict=True)
            ),
        )
        for row in itertools.product((True, False), repeat=3)
    ],
)
def test_the_way_back_uses_whatever_is_there(
    tmp_path, broker, nobody, has_store, has_broker, has_file
):
    """File and broker each suffice; the log is not needed; with neither it exits 4."""
    good = settings_with(tmp_path, broker)
    new_store(good.store_url)
    routes.change(Harness.of(good), Table(0, "conductor", otherwise="celery+shadow"), "ana", "all")
    settings_with(
        tmp_path,
        broker if has_broker else nobody,
        store=None if has_store else f"sqlite:///{tmp_path}/empty.db",
        back=has_file,
    )
    done = route(tmp_path, "back", *WHO)
    assert done.exit_code == (0 if has_broker or has_file else 4), done.output
    assert (tmp_path / "back").exists() == has_file
    held = routes.published(Harness.of(good)).table
    assert held.route == ("celery+shadow" if has_broker else "conductor")
    assert len(Audit(good.store_url).all("route")) == (2 if has_store else 1)
    assert done.stderr.count("! ") == 3 - sum((has_store, has_broker, has_file))


def test_the_commands_change_what_they_name_and_show_it(settings, tmp_path):
    """Set, show, decide, back, allow: one after the other."""
    assert "all on celery: no table is published" in route(tmp_path, "show").stdout
    first = ("set", "--route", "conductor+fallback", "--share", "0", *WHO)
    assert route(tmp_path, *first).exit_code == 2  # nobody can be asked
    assert "version 1" in route(tmp_path, *first, "--yes").stdout
    more = ("--room", "standup=conductor:1", "--deny", "t-2", "--yes", "--without-evidence")
    assert "version 2" in route(tmp_path, "set", *more, *WHO).stdout
    assert route(tmp_path, "show", "t-1").stdout.startswith("celery  outside the share of 0")
    assert route(tmp_path, "show", "t-1", "--room", "standup").stdout.startswith("conductor  room")
    assert "deny list" in route(tmp_path, "show", "t-2", "--room", "standup").stdout
    assert route(tmp_path, "back", *WHO).exit_code == 0
    assert "the local file" in route(tmp_path, "show", "t-1", "--room", "standup").stdout
    assert "sends every recording back" in route(tmp_path, "show").stderr
    assert "the table decides again" in route(tmp_path, "allow", "--yes", *WHO).stdout
    assert "outside" not in route(tmp_path, "show", "t-1", "--room", "standup").stdout
    assert [e["kind"] for e in Audit(settings.store_url).all()] == ["route"] * 3 + ["route-allow"]


@pytest.mark.parametrize(
    ("before", "after", "is_wider"),
    [
        pytest.param({}, {"route": "conductor", "share": 0.01}, True, id="the first one percent"),
        pytest.param({}, {"route": "conductor", "share": 0.0}, False, id="none of them yet"),
        pytest.param({}, {"route": "celery+shadow"}, False, id="shadowing only"),
        pytest.param({"route": "conductor", "share": 0.1}, {"route": "conductor", "share": 0.5},
                     True, id="a larger share"),
        pytest.param({"route": "conductor", "share": 0.5}, {"route": "conductor", "share": 0.1},
                     False, id="a smaller share"),
        pytest.param({"route": "conductor+fallback"}, {"route": "conductor"}, True,
                     id="no fallback any more"),
        pytest.param({"route": "conductor"}, {"route": "conductor+fallback"}, False,
                     id="with a fallback now"),
        pytest.param({"route": "conductor"}, {"route": "celery"}, False, id="all back"),
        pytest.param({}, {"rooms": {"a": Room("conductor", 0.1)}}, True, id="a room"),
        pytest.param({"rooms": {"a": Room("conductor", 0.1)}}, {}, False, id="a room back"),
        pytest.param({"route": "conductor", "rooms": {"a": Room("celery", 1.0)}},
                     {"route": "conductor"}, True, id="a room that was kept out"),
        pytest.param({"route": "conductor", "share": 0.0},
                     {"route": "conductor", "share": 0.0, "allow": ("t",)}, True, id="one named"),
        pytest.param({}, {"allow": ("t",)}, False, id="one named for celery"),
        pytest.param({"route": "conductor", "deny": ("t",)}, {"route": "conductor"}, True,
                     id="one that was kept out"),
    ],
)  # fmt: skip
def test_what_sends_more_to_conductor(before, after, is_wider):
    """Of any room and any recording, or without the fallback that it had."""
    assert widens(Table(1, **before), Table(2, **after)) is is_wider


def test_more_goes_to_conductor_only_with_the_cutovers_evidence(settings, tmp_path, capsys):
    """The missing items are named; what goes on without is in the log, and less needs none."""
    wider = ("route", "set", "--route", "conductor+fallback", "--share", "0.01", "--yes", *WHO)
    config = ("--config", f"{tmp_path}/migrate.toml")
    with pytest.raises(SystemExit) as ended:
        main([*config, *wider])
    assert ended.value.code == 2
    assert "the cutover lacks shadow gates on this build" in capsys.readouterr().err
    assert routes.published(Harness.of(settings)).table is None
    assert route(tmp_path, *wider[1:], "--without-evidence").exit_code == 0
    assert route(tmp_path, "set", "--share", "0", "--yes", *WHO).exit_code == 0
    kept = [e["body"]["grounds"] for e in Audit(settings.store_url).all("route")]
    assert kept == [
        "none: changed without it", "none needed: nothing more goes to Conductor",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="nothing to change"),
        pytest.param(("--room", "standup"), id="a room without a route"),
        pytest.param(("--room", "standup=conducter"), id="a room with an unknown route"),
        pytest.param(("--room", "standup=conductor:half"), id="a share that is a word"),
        pytest.param(("--room", "standup=conductor:2"), id="a share of more than all"),
        pytest.param(("--otherwise", "conductor"), id="all others on Conductor"),
    ],
)
def test_a_change_that_makes_no_sense_is_a_usage_error(settings, tmp_path, words):
    """Exit 2, and nothing is published."""
    done = CliRunner().invoke(
        cli, ["--config", f"{tmp_path}/migrate.toml", "route", "set", *words, *WHO, "--yes"]
    )
    assert done.exit_code == 2 or isinstance(done.exception, InputError)
    assert routes.published(Harness.of(settings)).table is None

"""Settings are loaded in one room, and stores made in one; a fork shares no connection."""

from __future__ import annotations

import ast
import dataclasses
import multiprocessing
import typing
from pathlib import Path

import pytest

from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.settings.sections import StoreSettings
from reflector_migrate.store.base import engine_for
from reflector_migrate.store.migrate import upgrade

ROOT = Path(__file__).parents[1]
ROOM = "reflector_migrate/harness.py"
ENTRANCE = "reflector_migrate/entrance.py"
FIELDS = {field.name for field in dataclasses.fields(Harness)}
STORES = {
    kind.__name__
    for name, kind in typing.get_type_hints(Harness).items()
    if name in FIELDS and isinstance(kind, type) and kind is not Settings
}
ENTRANCES = {
    "reflector_migrate/cli/attach.py": "the command that has just written the file",
    "reflector_migrate/cli/common.py": "a command of the CLI",
    "reflector_migrate/cli/compare.py": "a comparison of two files: prices alone",
    "reflector_migrate/cli/config.py": "the command that shows settings",
    "reflector_migrate/cli/gate.py": "evidence of a file: the rules alone",
    "reflector_migrate/cli/demo.py": "a command before its sandbox is up",
    "reflector_migrate/cli/rehearse.py": "a command before its sandbox is up",
    "reflector_migrate/cli/sandbox.py": "a command before its sandbox is up",
    "reflector_migrate/conductor/runtime/run.py": "a worker process",
    "reflector_migrate/conductor/workflows/register.py": "the script of the definitions",
    "reflector_migrate/cutover/route_app.py": "the starter of live workflows",
    "reflector_migrate/shadow/app.py": "dispatcher, collector and beat",
    "reflector_migrate/sandbox/legacy/app.py": "the stand-in of Reflector's worker",
    "reflector_migrate/sandbox/config.py": "the settings that a sandbox wrote itself",
}
"""Who has settings loaded, and for what. Everybody else is given them."""
MAKERS = {
    ROOM: "again, when a file of settings has changed",
    "reflector_migrate/cli/attach.py": "over the file that it has just written",
    "reflector_migrate/cli/common.py": "a command of the CLI",
    "reflector_migrate/conductor/runtime/run.py": "a worker process",
    "reflector_migrate/conductor/workflows/register.py": "the script of the definitions",
    "reflector_migrate/sandbox/legacy/app.py": "the stand-in of Reflector's worker",
    "reflector_migrate/sandbox/stack.py": "whoever brought the sandbox up",
}
"""Who makes a harness. Everybody else is given one."""
CLIENTS = {
    "redis.Redis.from_url": {
        "reflector_migrate/clients/connections.py",
        "reflector_migrate/plugin/reflector_shadow.py",
        "reflector_migrate/sandbox/legacy/process.py",
    },
    "Celery": {
        "reflector_migrate/clients/broker.py",
        "reflector_migrate/cutover/route_app.py",
        "reflector_migrate/sandbox/legacy/app.py",
        "reflector_migrate/sandbox/probe.py",
        "reflector_migrate/shadow/app.py",
    },
    "ConductorClient": {"reflector_migrate/clients/conductor.py"},
    "Configuration": {"reflector_migrate/conductor/runtime/task_client.py"},
    "boto3.session.Session": {"reflector_migrate/clients/connections.py"},
    "create_engine": {
        "reflector_migrate/cutover/least_rights.py",
        "reflector_migrate/store/base.py",
    },
}
"""Where a client of each server may be made: in its room, in the app of a worker, in what runs in
Reflector's own process or stands for it, and for the administrator's login, kept by nobody."""
OF_THE_HARNESS = {"broker_app", "connected", "connections", "redis_at"}
ASKS_WHO_THEY_ARE = "reflector_migrate/pipeline/namespace_guard.py"
"""Compares the servers of two addresses before any harness may work with them."""
LOADERS = {"loaded_settings", "LiveHarness"}
SOURCES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
    for package in ("reflector_migrate", "comparators", "reports")
    for path in sorted((ROOT / package).rglob("*.py"))
}


def calls(tree: ast.AST) -> set[str]:
    """The dotted names of all that is called, or handed on to be called, in a source."""
    found = {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    return found | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}


def called(tree: ast.AST) -> set[str]:
    """The names that a source calls, as they are written."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def names_from(tree: ast.AST, module: str) -> set[str]:
    """The names that a source imports from a module or from those below it."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(module)
        for alias in node.names
    }


def test_one_room_loads_settings() -> None:
    """No other module even imports the function; the package of the settings offers it."""
    loading = {
        place
        for place, tree in SOURCES.items()
        if "load_settings" in names_from(tree, "reflector_migrate.settings")
        or any(name.endswith("load_settings") for name in calls(tree))
    }
    assert loading == {ENTRANCE, "reflector_migrate/settings/__init__.py"}


def test_one_room_makes_stores() -> None:
    """A store's class is called in the room alone; elsewhere its name is a type."""
    making = {
        place
        for place, tree in SOURCES.items()
        if names_from(tree, "reflector_migrate.store") & STORES & called(tree)
    }
    assert making == {ROOM}


def test_every_store_is_in_the_harness() -> None:
    """A class of the store that is made of a URL has its field: none can be made elsewhere."""
    of_a_url = {
        node.name
        for place, tree in SOURCES.items()
        if place.startswith("reflector_migrate/store/")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for item in node.body
        if isinstance(item, ast.FunctionDef) and item.name == "__init__"
        if "url" in {argument.arg for argument in item.args.args}
    }
    assert of_a_url == STORES


def test_settings_are_loaded_at_the_entrances_alone() -> None:
    """Each process has one way in; whatever it calls is given what that way in loaded."""
    loading = {place for place, tree in SOURCES.items() if calls(tree) & LOADERS}
    assert loading - {ROOM} == set(ENTRANCES)


def test_a_harness_is_made_at_the_entrances_alone() -> None:
    """What a function works with stands in its signature: settings are not enough for a store."""
    making = {place for place, tree in SOURCES.items() if "Harness.of" in calls(tree)}
    assert making == set(MAKERS)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_is_made_in_its_room_alone(client: str) -> None:
    """However many modules talk to a server, one of them opens the door."""
    last = client.rpartition(".")[2]
    making = {
        place
        for place, tree in SOURCES.items()
        if any(name.rpartition(".")[2] == last for name in called(tree))
    }
    assert making == CLIENTS[client]


def test_the_harness_alone_asks_for_clients() -> None:
    """Elsewhere a client is a type, and came with the harness."""
    asking = {
        place
        for place, tree in SOURCES.items()
        if names_from(tree, "reflector_migrate.clients") & OF_THE_HARNESS & called(tree)
    }
    assert asking == {ROOM, ASKS_WHO_THEY_ARE}


@pytest.mark.parametrize(
    "source",
    [
        "from reflector_migrate.settings import load_settings as read",
        "import reflector_migrate.settings as s\ns.load_settings()",
        "from reflector_migrate.settings.loading import load_settings",
    ],
)
def test_no_way_to_load_is_overlooked(source: str) -> None:
    """However it is imported or called."""
    tree = ast.parse(source)
    loads = {name for name in calls(tree) if name.endswith("load_settings")}
    assert loads or {"load_settings", "read"} & names_from(tree, "reflector_migrate.settings")


def _engine_in_child(harness: Harness, seen: object) -> tuple[bool, int]:
    """In a forked child: whether the parent's engine serves it, and what it reads."""
    engine = engine_for(harness.settings.store_url)
    return id(engine) == seen, harness.runs.count_in_flight()


def test_a_fork_shares_no_connection(tmp_path: Path) -> None:
    """A forked child works with the parent's harness over an engine and sockets of its own."""
    harness = Harness.of(Settings(store=StoreSettings(url=f"sqlite:///{tmp_path / 'store.db'}")))
    upgrade(harness.settings.store_url)
    assert harness.runs.count_in_flight() == 0
    parents = engine_for(harness.settings.store_url)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        is_shared, number = pool.apply(_engine_in_child, (harness, id(parents)))
    assert (is_shared, number) == (False, 0)
    assert engine_for(harness.settings.store_url) is parents

"""Brings a server's definitions to ours; safe to run at every deployment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from reflector_migrate.clients.conductor import ConductorClient
from reflector_migrate.conductor.definition_diff import differences
from reflector_migrate.conductor.server_version import ServerVersion, server_version
from reflector_migrate.conductor.tasks.definitions import task_definitions
from reflector_migrate.conductor.workflows.load import FILES, VERSIONS, workflow_definition
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings

Json = dict[str, Any]


class Registration(NamedTuple):
    """What registering changed, by name."""

    server: ServerVersion
    created: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()


class _Changes(NamedTuple):
    create: list[Json]
    replace: dict[str, list[str]]
    same: list[str]


def register_all(harness: Harness, force: bool = False) -> Registration:
    """Register all task and workflow definitions; a second time changes nothing.

    Raises RefusedError, having written nothing, when a workflow version is
    registered with another content, or when a task definition differs and
    `force` is not given or a workflow is running.
    """
    version = server_version(harness.settings)
    wanted = task_definitions(harness.settings, caps_retry_delay=version.caps_retry_delay)
    with harness.conductor() as client:
        workflows = _missing_workflows(
            client, harness.settings, knows_join_mode=version.knows_join_mode
        )
        changes = _compare(client, wanted)
        if changes.replace:
            _refuse_replacing(client, changes.replace, force=force)
        _write(client, wanted, changes, workflows)
    created = [d["name"] for d in (*changes.create, *workflows)]
    kept = [*changes.same, *(n for n in FILES if n not in created)]
    return Registration(version, tuple(created), tuple(changes.replace), tuple(kept))


def unregistered(harness: Harness) -> tuple[str, ...]:
    """Names of definitions that the server lacks or holds differently; writes nothing.

    Raises RefusedError when a workflow version is registered with different content.
    """
    version = server_version(harness.settings)
    wanted = task_definitions(harness.settings, caps_retry_delay=version.caps_retry_delay)
    with harness.conductor() as client:
        workflows = _missing_workflows(
            client, harness.settings, knows_join_mode=version.knows_join_mode
        )
        changes = _compare(client, wanted)
    return tuple(str(d["name"]) for d in (*changes.create, *workflows)) + tuple(changes.replace)


def _missing_workflows(
    client: ConductorClient, settings: Settings, *, knows_join_mode: bool
) -> list[Json]:
    """Definitions that the server lacks; RefusedError when it has the version, but another text."""
    wanted = [
        workflow_definition(name, settings, knows_join_mode=knows_join_mode)
        for name in reversed(FILES)
    ]
    return [d for d in wanted if not _is_registered(client, d)]


def _is_registered(client: ConductorClient, ours: Json) -> bool:
    theirs = client.workflow_def(ours["name"], ours["version"])
    if theirs is None:
        return False
    differing = differences(ours, theirs)
    if differing and all(path.endswith(".joinMode") for path in differing):
        return False  # registered before the server knew of it: the same workflow, its JOINs lazier
    if differing:
        raise RefusedError(
            f"workflow {ours['name']} version {ours['version']} is registered with another "
            f"content: {', '.join(differing[:5])}",
            hint="bump the version in conductor/workflows; running workflows keep theirs",
        )
    return True


def _compare(client: ConductorClient, wanted: Sequence[Json]) -> _Changes:
    changes = _Changes([], {}, [])
    for ours in wanted:
        theirs = client.task_def(ours["name"])
        if theirs is None:
            changes.create.append(ours)
        elif differing := differences(ours, theirs):
            changes.replace[ours["name"]] = differing
        else:
            changes.same.append(ours["name"])
    return changes


def _refuse_replacing(
    client: ConductorClient, replace: dict[str, list[str]], *, force: bool
) -> None:
    which = "; ".join(f"{name}: {', '.join(paths)}" for name, paths in replace.items())
    if not force:
        raise RefusedError(
            f"task definitions differ ({which})", hint="look at them, then register with --force"
        )
    running = [i for name in FILES for v in VERSIONS for i in client.running(name, v)]
    if running:
        raise RefusedError(
            f"{len(running)} workflows are running, {running[0]} among them",
            hint="task definitions have no version: let them end, or terminate them",
        )


def _write(
    client: ConductorClient, wanted: Sequence[Json], changes: _Changes, workflows: Sequence[Json]
) -> None:
    if changes.create:
        client.create_task_defs(changes.create)
    for ours in wanted:
        if ours["name"] in changes.replace:
            client.replace_task_def(ours)
    for definition in workflows:
        client.put_workflow_def(definition)

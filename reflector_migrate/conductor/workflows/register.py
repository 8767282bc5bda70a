"""Registers the workflow definitions: once per version, never over a different one.

Run as `python -m reflector_migrate.conductor.workflows.register`.
"""

from __future__ import annotations

from typing import Any

from reflector_migrate.conductor.client import ConductorClient
from reflector_migrate.conductor.definition_diff import differences
from reflector_migrate.conductor.workflows.load import FILES, workflow_definition
from reflector_migrate.errors import RefusedError
from reflector_migrate.settings import Settings, load_settings

Json = dict[str, Any]


def missing_workflows(
    client: ConductorClient, settings: Settings, *, knows_join_mode: bool
) -> list[Json]:
    """Definitions that the server lacks; RefusedError when it has the version, but another text.

    Writes nothing.
    """
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


if __name__ == "__main__":
    from reflector_migrate.conductor.register import register_all

    register_all(load_settings())

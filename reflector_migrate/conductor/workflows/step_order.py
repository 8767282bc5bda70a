"""Which steps may become ready when one has ended, as the workflow's definition has it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reflector_migrate.conductor.workflows.load import PIPELINE, workflow_definition
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.settings import Settings

Json = Mapping[str, Any]
Steps = tuple[str, ...]

_PLAN = re.compile(r"\$\{(\w+)\.output\.\w+\}")


def following(definition: Json) -> dict[str, Steps]:
    """Of each step those that come next, past forks and JOINs; none after the last."""
    found: dict[str, Steps] = dict.fromkeys(STEP_NAMES, ())
    _walk(definition["tasks"], (), found)
    return found


def _walk(tasks: Sequence[Json], after: Steps, found: dict[str, Steps]) -> Steps:
    """The first steps of a list of tasks, `after` which others come; fills in `found`."""
    for number in reversed(range(len(tasks))):
        task = tasks[number]
        if task["type"] == "FORK_JOIN":
            after = sum((_walk(branch, after, found) for branch in task["forkTasks"]), ())
        elif task["type"] != "JOIN":
            name = _planned(task, tasks) if task["type"] == "FORK_JOIN_DYNAMIC" else task["name"]
            found[name] = (*found[name], *(step for step in after if step not in found[name]))
            after = (name,)
    return after


def _planned(fork: Json, tasks: Sequence[Json]) -> str:
    """The step of which a dynamic fork runs many, by what its plan was asked for."""
    told = _PLAN.fullmatch(fork["inputParameters"][fork["dynamicForkTasksParam"]])
    plans = (t for t in tasks if told and t["taskReferenceName"] == told[1])
    return str(next(plans)["inputParameters"]["task_type"])


_DEFINITION = workflow_definition(PIPELINE, Settings())
FOLLOWING: Mapping[str, Steps] = following(_DEFINITION)
FIRST: Steps = (_DEFINITION["tasks"][0]["name"],)

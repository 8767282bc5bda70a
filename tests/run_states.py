"""Brings a run to a state as it gets there in life: along the table, one change at a time."""

from __future__ import annotations

from collections import deque

from reflector_migrate.model.run_life import LIFE_OF, RunState
from reflector_migrate.store.runs import RunRecord, Runs


def brought(runs: Runs, run_id: str, state: str, **values: object) -> RunRecord:
    """The run in that state, by the shortest way; the last change sets `values`."""
    run = runs.by_id(run_id)
    assert run is not None, f"no run {run_id}"
    way = _way(RunState(run.state), RunState(state))
    for place, step in enumerate(way, 1):
        moved = runs.move(run, step, **(values if place == len(way) else {}))
        assert moved is not None, f"run {run_id} was moved by another"
        run = moved
    return run


def _way(start: RunState, goal: RunState) -> list[RunState]:
    if start == goal:
        return [goal]
    ways = deque([[start]])
    seen = {start}
    while ways:
        way = ways.popleft()
        for step in LIFE_OF[way[-1]].to:
            if step == goal:
                return [*way[1:], step]
            if step not in seen:
                seen.add(step)
                ways.append([*way, step])
    raise AssertionError(f"no way from {start} to {goal}")

"""What of the legacy pipeline nothing has called for some nights; a list, and nothing else.

Two witnesses: the plugin's spans say when a task or an inner step ran last, and each worker
counts its tasks since it was started. What neither of them saw for long enough stays `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from reflector_migrate.cutover.infrastructure import workers_say
from reflector_migrate.harness import Harness
from reflector_migrate.model.primary_task import PIPELINE
from reflector_migrate.store.clock import now

OURS = ("celery.", "migrate.")


class Use(StrEnum):
    """Whether something can go."""

    UNUSED = "unused"
    USED = "used"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Part:
    """A task, an inner step of the pipeline, or an entry of beat's schedule."""

    kind: str
    name: str
    use: Use
    why: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the witnesses say. `spans` are (task, inner steps, when); `calls` are since `up_s`."""

    registered: frozenset[str]
    schedule: Mapping[str, str]
    spans: Sequence[tuple[str, tuple[str, ...], datetime]]
    calls: Mapping[str, int]
    up_s: float


def plan(seen: Seen, nights: int, at: datetime) -> tuple[Part, ...]:
    """Each part with its use in the last so many nights. Pure."""
    since = at - timedelta(days=nights)
    return (
        *(_task(seen, name, since, at) for name in sorted(seen.registered)),
        *_steps(seen, since),
        *_schedule(seen, since, at),
    )


def look(harness: Harness) -> Seen:
    """Ask every worker of the primary, and read the spans. ServerUnreachableError without broker.

    Our workers register none of Reflector's tasks.
    """
    nodes = workers_say(harness, "registered")
    theirs = {name for name, tasks in nodes.items() if any(PIPELINE in task for task in tasks)}
    stats = {n: s for n, s in workers_say(harness, "stats").items() if n in theirs}
    confs = [c for n, c in workers_say(harness, "conf").items() if n in theirs]
    calls: dict[str, int] = {}
    for one in stats.values():
        for task, number in dict(one.get("total") or {}).items():
            calls[task] = calls.get(task, 0) + int(number)
    names = (task.partition(" ")[0] for node in theirs for task in nodes[node])
    return Seen(
        frozenset(name for name in names if not name.startswith(OURS)),
        {key: str(entry.get("task")) for conf in confs for key, entry in _entries(conf)},
        harness.spans.uses(),
        calls,
        min((float(one.get("uptime") or 0) for one in stats.values()), default=0.0),
    )


def plan_now(harness: Harness, nights: int) -> tuple[Part, ...]:
    """The plan as of now."""
    return plan(look(harness), nights, now())


def _task(seen: Seen, name: str, since: datetime, at: datetime) -> Part:
    is_pipeline = PIPELINE in name
    found = [(when, steps) for task, steps, when in seen.spans if task == name]
    bodies = [when for when, steps in found if steps or not is_pipeline]
    if last := max(bodies, default=None):
        use = Use.USED if last >= since else Use.UNUSED
        door = "; it stays as the place where routes are decided" if is_pipeline else ""
        return Part("task", name, use, f"last ran {last:%Y-%m-%d %H:%M}{door}")
    if number := seen.calls.get(name, 0):
        if is_pipeline and found:
            return Part("task", name, Use.UNUSED, "called, and every recording went to Conductor")
        return Part("task", name, Use.USED, f"called {number} times since its worker started")
    if at - timedelta(seconds=seen.up_s) <= since:
        return Part("task", name, Use.UNUSED, f"not called for {seen.up_s / 86400:.0f} days")
    return Part("task", name, Use.UNKNOWN, f"its worker started {seen.up_s / 3600:.0f} h ago")


def _steps(seen: Seen, since: datetime) -> Iterator[Part]:
    last: dict[str, datetime] = {}
    for _task_name, steps, when in seen.spans:
        last |= {step: max(when, last.get(step, when)) for step in steps}
    for step, when in sorted(last.items()):
        use = Use.USED if when >= since else Use.UNUSED
        yield Part("step", step, use, f"last ran {when:%Y-%m-%d %H:%M}")


def _schedule(seen: Seen, since: datetime, at: datetime) -> Iterator[Part]:
    for key, name in sorted(seen.schedule.items()):
        task = _task(seen, name, since, at)
        why = f"beat sends {name}: {task.why}"
        yield Part("schedule", key, Use.UNKNOWN if task.use is Use.UNUSED else task.use, why)


def _entries(conf: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    found = conf.get("beat_schedule")
    if isinstance(found, Mapping):
        yield from ((str(key), entry) for key, entry in found.items() if isinstance(entry, Mapping))

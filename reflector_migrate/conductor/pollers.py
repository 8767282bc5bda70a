"""Who polls our task queues, by the server's own poll data."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from reflector_migrate.clients.conductor import ConductorClient
from reflector_migrate.conductor.build import build_hash
from reflector_migrate.conductor.task_domain import parse_worker_id, task_domain
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.settings import Settings

RECENT_S = 30.0
LOOKS = 3
BETWEEN_LOOKS_S = 0.5


class Poller(NamedTuple):
    """A worker as the server last saw it at one task's queue."""

    task: str
    worker_id: str
    domain: str | None
    build: str | None
    last_poll: datetime
    is_stranger: bool


def task_queue_pollers(harness: Harness, *, recent_s: float = RECENT_S) -> tuple[Poller, ...]:
    """Workers that polled lately, by task; a stranger is of another build, or not our worker.

    A stranger in a domain of its own never receives our tasks, and is not shown.
    The server keeps only the latest poll of each queue and domain, so several
    looks are taken; a seldom poller can still hide behind a busy one.
    """
    seen: dict[tuple[str, str, str | None], Poller] = {}
    with harness.conductor() as client:
        for look in range(LOOKS):
            if look:
                time.sleep(BETWEEN_LOOKS_S)
            for poller in _look(client, harness.settings, recent_s):
                seen[poller.task, poller.worker_id, poller.domain] = poller
    return tuple(sorted(seen.values(), key=lambda p: (STEP_NAMES.index(p.task), p.worker_id)))


def _look(client: ConductorClient, settings: Settings, recent_s: float) -> Iterator[Poller]:
    oldest = datetime.now(UTC).timestamp() - recent_s
    ours = task_domain(settings)
    for step in STEP_NAMES:
        for entry in client.poll_data(step):
            is_recent = entry["lastPollTime"] / 1000 >= oldest
            if is_recent and entry.get("domain") in (ours, None, "", "DEFAULT"):
                yield _poller(step, entry)


def _poller(step: str, entry: Mapping[str, Any]) -> Poller:
    worker_id = str(entry.get("workerId") or "")
    known = parse_worker_id(worker_id)
    build = known[2] if known else None
    return Poller(
        task=step,
        worker_id=worker_id,
        domain=entry.get("domain") or None,
        build=build,
        last_poll=datetime.fromtimestamp(entry["lastPollTime"] / 1000, UTC),
        is_stranger=build != build_hash(),
    )

"""Which task domain a build's work goes through, and who a worker says it is."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.contracts import Namespace, contract_hash
from reflector_migrate.settings import Settings


def task_domain(settings: Settings, namespace: Namespace | str | None = None) -> str:
    """Namespace and contract hash, so that only workers of the same contract get a task."""
    if settings.conductor.domain:
        return settings.conductor.domain
    return f"{namespace or settings.candidate.namespace}-{contract_hash()}"


def task_to_domain(settings: Settings, namespace: Namespace) -> dict[str, str]:
    """The domain of each of our tasks; system tasks keep none, or they would never run."""
    domain = task_domain(settings, namespace)
    return dict.fromkeys(STEP_NAMES, domain)


class Identity(NamedTuple):
    """Who executed a task: host, process, build and contract."""

    host: str
    pid: int
    build: str
    contract: str

    @property
    def worker_id(self) -> str:
        """How it reads in Conductor: `host:pid:build`."""
        return f"{self.host}:{self.pid}:{self.build}"


def identity() -> Identity:
    """This process; ask in the process that works, never before it starts."""
    return Identity(socket.gethostname(), os.getpid(), build_hash(), contract_hash())


def parse_worker_id(worker_id: str) -> tuple[str, str, str] | None:
    """Host, pid and build of one of our worker ids; None for a stranger's."""
    parts = worker_id.rsplit(":", 2)
    is_ours = len(parts) == 3 and parts[1].isdigit() and bool(parts[2])
    return (parts[0], parts[1], parts[2]) if is_ours else None

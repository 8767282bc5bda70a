"""Puts one worker process together; everything it uses is made here, after its start."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from reflector_migrate.conductor.progress import Progress
from reflector_migrate.conductor.runtime.groups import Member
from reflector_migrate.conductor.runtime.task_client import Desk
from reflector_migrate.conductor.runtime.task_runner import Execute, Harness
from reflector_migrate.conductor.runtime.worker_process import Host
from reflector_migrate.conductor.server_version import ServerVersion, server_version
from reflector_migrate.conductor.task_domain import identity, task_domain
from reflector_migrate.conductor.wakeup import Doorbell
from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.settings import Settings

logger = logging.getLogger(__name__)

SERVER_WAIT_S = 1.0
LEAVE_S = 1.5
"""Of the drain: for giving back what is unfinished."""


def serve(
    settings: Settings,
    member: Member,
    stop: threading.Event,
    on_ready: Callable[[], None],
    execute: Execute,
) -> None:
    """Work until `stop`; ends the process itself when a step still runs after the drain."""
    version = _wait_for_server(settings, stop)
    if version is None:
        return
    who = identity()
    desk = Desk(settings, version, who)
    harness = Harness(settings, who, execute, Progress(settings), desk.lease)
    logger.info(
        "%s polls server %s in domain %s as %s",
        member.group, version, task_domain(settings), who.worker_id,
    )  # fmt: skip
    is_drained = Host(member, desk, harness, Doorbell(settings)).run(
        stop, max(0.0, settings.workers.drain_s - LEAVE_S), on_ready
    )
    if not is_drained:
        logging.shutdown()
        os._exit(0)  # a hung step's thread cannot be ended any other way


def _wait_for_server(settings: Settings, stop: threading.Event) -> ServerVersion | None:
    while not stop.is_set():
        try:
            return server_version(settings)
        except ServerUnreachableError as error:
            logger.warning("waiting for Conductor: %s", error)
            stop.wait(SERVER_WAIT_S)
    return None

"""Real servers that tests of deaths share, with times that a test can wait for."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import NamedTuple

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.server_version import server_version
from reflector_migrate.conductor.tasks.definitions import task_definitions
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from tests.patience import PATIENT
from tests.sources_world import local_s3

VERSIONS = ("3.32.3", "3.15.0")
SOAK = "MIGRATE_SOAK" in os.environ
BRIEF = {"retryLogic": "FIXED", "retryDelaySeconds": 1}
"""In place of the table's backoff; its retry counts and timeouts stay."""


class Stage(NamedTuple):
    """What all dramas share."""

    servers: Sandbox
    s3_url: str
    control: StandinControl


@contextmanager
def staged(folder):
    """Conductor 3.32.3, Redis, S3 and the outside services."""
    nobody = folder / "nobody"
    nobody.mkdir()
    with (
        local_s3() as s3_url,
        running_standins(nobody) as url,
        StandinControl(url) as control,
        servers_of(VERSIONS[0], folder / "servers") as servers,
    ):
        yield Stage(servers, s3_url, control)


@contextmanager
def servers_of(version, folder):
    """Of that version; what failed is tried again after a second."""
    parts = ("conductor", "redis")
    with Sandbox(PATIENT, folder, conductor_version=version, with_=parts) as sandbox:
        caps = server_version(sandbox.settings).caps_retry_delay
        with connected(sandbox.settings) as client:
            for made in task_definitions(sandbox.settings, caps_retry_delay=caps):
                client.replace_task_def(made if SOAK else {**made, **BRIEF})
        yield sandbox


@contextmanager
def timed(servers, step, **times):
    """A step with other times for a while; in a soak it keeps the table's."""
    with connected(servers.settings) as client:
        usual = client.task_def(step)
        client.replace_task_def(usual if SOAK else {**usual, **times})
        try:
            yield
        finally:
            client.replace_task_def(usual)

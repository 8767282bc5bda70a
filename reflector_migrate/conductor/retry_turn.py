"""One process at a time has a workflow go on.

Conductor accepts two retries that come at once, and then runs each failed step twice and waits for
ever at a JOIN that it made twice (seen on 3.15.0 and 3.32.3: each failure workflow retries what a
JOIN cut short, and a server may start two of them).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from reflector_migrate.errors import RefusedError, ServerUnreachableError
from reflector_migrate.harness import Harness

LEASE = timedelta(seconds=60)
"""After which another process takes over from one that died."""

WAIT_S, LOOK_S = 15.0, 0.2


@contextmanager
def retry_turn(harness: Harness, workflow_id: str) -> Iterator[None]:
    """Wait for one's turn with this workflow.

    Raises RefusedError after 15 s of another's, ServerUnreachableError where our store does not
    answer.
    """
    name, deadline = f"retry {workflow_id}", time.monotonic() + WAIT_S
    until = harness.now() + LEASE
    while not harness.heartbeats.lease(name, until - LEASE, until):
        if time.monotonic() > deadline:
            raise RefusedError(
                f"workflow {workflow_id} is being retried by another process",
                hint="repeat the command in a minute",
            )
        time.sleep(LOOK_S)
        until = harness.now() + LEASE
    try:
        yield
    finally:
        with suppress(ServerUnreachableError):  # then it ends by itself
            harness.heartbeats.drop(name, until)

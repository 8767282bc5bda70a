"""Both sides of a comparison answered from a recording of one run: orchestration without noise.

The run that is recorded is the secondary's; then recogniser and language model give
the primary and the candidate exactly what they gave it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from reflector_migrate.errors import MigrateError
from reflector_migrate.experiments.secondary import ready_secondary, start
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.sandbox.recordings import FixtureRecording
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings

LOOK_S = 0.2


@contextmanager
def replayed(harness: Harness, recording: FixtureRecording, timeout_s: float) -> Iterator[None]:
    """Record one run; within the block its answers are all there are; then the services' own."""
    with StandinControl(harness.settings.sandbox.control_url or "") as control:
        ready_secondary(harness, recording)
        control.answers("record")
        try:
            _run(harness.settings.as_secondary(), recording, timeout_s)
            control.answers("replay")
            yield
        finally:
            control.answers("off")


def _run(secondary: Settings, recording: FixtureRecording, timeout_s: float) -> None:
    """The engine once, until its row says that it ended, in whichever way."""
    start(secondary, recording, str(uuid.uuid4()))
    rows = Rows.at(secondary.reflector.database_url or "")
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        row = rows.transcript_of(recording.recording_id)
        if row is not None and row.status in ("ended", "error"):
            return
        time.sleep(LOOK_S)
    raise MigrateError(f"{recording.name}: the run to record did not end within {timeout_s:.0f} s")

"""A failed workflow counts as running until its row says so, or nobody will say it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from reflector_migrate.conductor.execution import Execution
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observing import _is_failure_untold
from reflector_migrate.store.clock import now


@pytest.mark.parametrize(
    ("status", "row", "ended_s", "is_untold"),
    [
        ("failed", "processing", 1, True),
        ("timed_out", "processing", 1, True),
        ("failed", "uploaded", 1, True),  # its first step failed
        ("failed", "error", 1, False),
        ("failed", "ended", 1, False),  # what came after its finalize failed
        ("failed", None, 1, False),
        ("failed", "processing", 61, False),  # a person terminated it
        ("completed", "processing", 1, False),
        ("running", "processing", 1, False),
    ],
)
def test_a_failure_is_untold_for_a_while(monkeypatch, status, row, ended_s, is_untold):
    """The other workflow that tells it starts only then."""
    found = SimpleNamespace(status=row) if row else None
    rows = SimpleNamespace(find_transcript=lambda _id: found)
    monkeypatch.setattr(Rows, "at", lambda _url: rows)
    ended = now() - timedelta(seconds=ended_s)
    execution = Execution("w", status, ended=ended)
    run = SimpleNamespace(transcript_id="t")
    assert _is_failure_untold(Settings(), run, execution) is is_untold

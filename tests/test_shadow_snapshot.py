"""What a candidate starts from, and until when that can be known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reflector_migrate.errors import InputError, MigrateError, TransientStepError
from reflector_migrate.settings import Settings
from reflector_migrate.shadow import snapshot
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.snapshot import CLEAN, NEW, NOT_YET, Snapshot, take_snapshot
from reflector_migrate.store.clock import now

LONG_AGO = timedelta(days=1)
AT_ONCE = timedelta(0)


@pytest.fixture
def prior(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The columns that each snapshot was restored with; nothing is copied."""
    restored: list[dict[str, Any]] = []
    monkeypatch.setattr(snapshot, "require_separate", lambda _settings: None)
    monkeypatch.setattr(snapshot, "_copy_tracks", lambda *_about: None)
    monkeypatch.setattr(snapshot, "restore_rows", lambda _s, _t, prior, _r: restored.append(prior))
    return restored


def _take(status: str, age: timedelta, known_for: timedelta) -> None:
    row = {"id": "t", "status": status, "created_at": now() - age}
    taken = Snapshot("rec", "t", None, "", (), {"transcript": [row], "recording": []})
    said = Announcement(
        transcript_id="t", bucket_name="b", track_keys=(), task_id="task", published_at=now()
    )
    take_snapshot(Settings(), said, taken, "run-1", known_for)


@pytest.mark.parametrize(
    ("status", "age", "known_for", "starts_from"),
    [
        pytest.param("idle", AT_ONCE, AT_ONCE, NEW | CLEAN, id="made for this run"),
        pytest.param("processing", LONG_AGO, AT_ONCE, CLEAN, id="processed again"),
        pytest.param("processing", LONG_AGO, LONG_AGO, CLEAN, id="still at work"),
        pytest.param("ended", LONG_AGO, AT_ONCE, TransientStepError, id="we were faster"),
        pytest.param("idle", LONG_AGO, AT_ONCE, TransientStepError, id="waited in its queue"),
        pytest.param("ended", LONG_AGO, NOT_YET, InputError, id="too late"),
    ],
)
def test_what_stood_in_the_row_before(
    prior: list[dict[str, Any]],
    status: str,
    age: timedelta,
    known_for: timedelta,
    starts_from: dict[str, Any] | type[MigrateError],
) -> None:
    """An announcement comes before `processing`: too early is tried again, too late is final."""
    if isinstance(starts_from, dict):
        _take(status, age, known_for)
        assert prior == [starts_from]
        return
    with pytest.raises(starts_from):
        _take(status, age, known_for)
    assert prior == []

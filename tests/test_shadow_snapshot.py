"""What a candidate starts from, and until when that can be known."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reflector_migrate.errors import TransientStepError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow import snapshot
from reflector_migrate.shadow.advance import advance
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.dispatcher import claim
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.shadow.snapshot import (
    CLEAN,
    NOT_YET,
    Snapshot,
    state_before,
    take_snapshot,
)
from reflector_migrate.store.clock import now
from tests.new_stores import new_store

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


def _take(
    status: str, age: timedelta, known_for: timedelta, *, is_replayed: bool = False, root: str = "r"
) -> None:
    row = {"id": "t", "status": status, "created_at": now() - age, "title": "By Ana"}
    taken = Snapshot("rec", "t", None, "", (), {"transcript": [row], "recording": []})
    said = Announcement(
        transcript_id="t", bucket_name="b", track_keys=(), task_id="task", published_at=now(),
        root_id=root, is_replayed=is_replayed,
    )  # fmt: skip
    take_snapshot(Harness.of(Settings()), said, taken, "run-1", known_for)


@pytest.mark.parametrize(
    ("status", "age", "known_for", "how", "is_taken"),
    [
        pytest.param("idle", AT_ONCE, AT_ONCE, {}, True, id="made for this run"),
        pytest.param("processing", LONG_AGO, AT_ONCE, {"root": "task"}, True, id="reprocessed"),
        pytest.param("ended", LONG_AGO, AT_ONCE, {"root": "task"}, False, id="we were faster"),
        pytest.param("idle", LONG_AGO, AT_ONCE, {}, True, id="waited in the primary's queue"),
        pytest.param("ended", LONG_AGO, NOT_YET, {"root": "task"}, True, id="it has ended since"),
        pytest.param("ended", LONG_AGO, AT_ONCE, {"is_replayed": True}, True, id="replayed"),
    ],
)
def test_when_a_snapshot_is_taken(
    prior: list[dict[str, Any]],
    status: str,
    age: timedelta,
    known_for: timedelta,
    how: dict[str, Any],
    is_taken: bool,
) -> None:
    """An announcement comes before `processing`: too early is tried again, nothing is too late."""
    if is_taken:
        _take(status, age, known_for, **how)
        assert [columns["title"] for columns in prior] == ["By Ana"]
        return
    with pytest.raises(TransientStepError):
        _take(status, age, known_for, **how)
    assert prior == []


def test_a_row_that_is_not_there_yet_is_looked_for_again(tmp_path: Path) -> None:
    """The database that we may read can be a replica, some seconds late."""
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("store", "reflector")]
    new_store(urls[0])
    create_all(urls[1])
    raw = {"store": {"url": urls[0]}, "reflector": {"database_url": urls[1]}}
    clock = [now()]
    harness = Harness.of(Settings.model_validate(raw), lambda: clock[0])
    shadow = Shadow(harness, lambda _run, _delay_s: None)
    said = Announcement(transcript_id="t", bucket_name="b", track_keys=(), task_id="task")
    run = claim(shadow, said)
    assert run is not None
    states = []
    for _ in range(2):
        advance(shadow, run.run_id)
        found = shadow.runs.by_id(run.run_id)
        assert found is not None
        states.append((found.state, found.reason))
        clock[0] += NOT_YET
    why = "transcript t is not in the primary's database"
    assert states == [("claimed", why), ("failed", why)]


DONE = [
    {"event": "DURATION", "data": {"duration": 9.0}},
    {"event": "FINAL_TITLE", "data": {"title": "Plans"}},
    {"event": "FINAL_SHORT_SUMMARY", "data": {"short_summary": "s"}},
    {"event": "FINAL_LONG_SUMMARY", "data": {"long_summary": "l"}},
]
STANDING = {"short_summary": "s", "long_summary": "l", "duration": 9.0, "webvtt": "WEBVTT"}
EMPTY = {"short_summary": None, "long_summary": None, "duration": 0.0, "webvtt": None}


@pytest.mark.parametrize(
    ("row", "is_first", "before"),
    [
        pytest.param(
            {"status": "processing", "events": [], "title": "By Ana", "zulip_message_id": 7}, False,
            {"title": "By Ana", **STANDING, "webvtt": None, "zulip_message_id": 7},
            id="reprocessed, nothing written yet",
        ),
        pytest.param(
            {"status": "ended", "events": DONE, "title": "By Ana", "zulip_message_id": 7}, False,
            {"title": "By Ana", **EMPTY, "zulip_message_id": 7},
            id="reprocessed with an edited title, and ended",
        ),
        pytest.param(
            {"status": "ended", "events": DONE, "title": "Plans", "zulip_message_id": 7}, True,
            {"title": None, **EMPTY, "zulip_message_id": None},
            id="a first run long since ended",
        ),
        pytest.param(
            {"status": "ended", "events": DONE, "title": "By Ana", "zulip_message_id": None}, True,
            {"title": "By Ana", **EMPTY, "zulip_message_id": None},
            id="a first run whose title was edited",
        ),
        pytest.param(
            {"status": "ended", "events": DONE[:1], "title": None, "short_summary": None,
             "long_summary": None}, True,
            {"title": None, **EMPTY, "zulip_message_id": None}, id="no words: nothing written",
        ),
    ],
)  # fmt: skip
def test_what_stood_in_the_row_before(row, is_first, before):
    """The run's own events say what it wrote; all else still stands, whenever it is asked."""
    found = state_before({**STANDING, **row}, is_first=is_first)
    assert found == {**CLEAN, "audio_deleted": None, **before}

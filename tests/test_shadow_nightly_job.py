"""The night's work is one job: one at a time, safe twice, going on after a kill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly import job
from reflector_migrate.shadow.nightly.job import DONE, LEASE, LOCK, nights_due, run_nights
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.store.heartbeats import Heartbeats
from tests.new_stores import new_store

AT = datetime(2026, 11, 28, 3, 30, tzinfo=UTC)


def _night(day: int) -> datetime:
    return datetime(2026, 11, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "due"),
    [
        pytest.param(None, ["2026-11-27"], id="the first time: last night"),
        pytest.param(_night(26), ["2026-11-27"], id="each day"),
        pytest.param(_night(27), [], id="done already"),
        pytest.param(_night(24), ["2026-11-25", "2026-11-26", "2026-11-27"], id="missed nights"),
    ],
)
def test_which_nights_are_due(last: datetime | None, due: list[str]) -> None:
    """All after the last done one, up to yesterday."""
    assert list(nights_due(last, AT)) == due
    assert len(nights_due(_night(1) - timedelta(days=400), AT)) == job.MOST_NIGHTS


@pytest.fixture
def shadow(any_store: str, tmp_path: Path) -> Shadow:
    """A store on each database, no recordings, and a clock that stands still."""
    new_store(any_store)
    settings = Settings.model_validate({"store": {"url": any_store}, "state_dir": tmp_path})
    return Shadow(Harness.of(settings, lambda: AT), lambda _run, _delay_s: None)


def test_it_catches_up_and_is_safe_twice(shadow: Shadow, tmp_path: Path):
    """A page for each missed night; then nothing is left to do."""
    beats = Heartbeats(shadow.settings.store_url)
    beats.beat(DONE, _night(25))
    assert run_nights(shadow) == ("2026-11-26", "2026-11-27")
    names = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert names == ["shadow-2026-11-26.html", "shadow-2026-11-27.html"]
    assert run_nights(shadow) == ()


def test_one_process_at_a_time(shadow: Shadow):
    """Another's lease is respected until it is over, as of a process that was killed."""
    beats = Heartbeats(shadow.settings.store_url)
    assert beats.lease(LOCK, AT, AT + LEASE)
    assert run_nights(shadow) == ()
    late = Shadow(
        Harness.of(shadow.settings, lambda: AT + LEASE + timedelta(seconds=1)), shadow.send
    )
    assert run_nights(late) == ("2026-11-27",)


def test_a_job_that_was_killed_goes_on(shadow: Shadow, monkeypatch: pytest.MonkeyPatch):
    """The nights before the kill are not done again."""
    Heartbeats(shadow.settings.store_url).beat(DONE, _night(24))
    written: list[str] = []

    def write(_settings: Settings, night: str, **_more: Any) -> Path:
        if night == "2026-11-26" and len(written) == 1:
            raise KeyboardInterrupt
        written.append(night)
        return Path(night)

    monkeypatch.setattr(job, "write_report", write)
    with pytest.raises(KeyboardInterrupt):
        run_nights(shadow)
    monkeypatch.setattr(job, "write_report", lambda _s, night: written.append(night))
    assert run_nights(shadow) == ("2026-11-26", "2026-11-27")
    assert written == ["2026-11-25", "2026-11-26", "2026-11-27"]


def test_a_night_whose_lost_recordings_were_not_looked_for_is_looked_at_again(
    shadow: Shadow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A message waited for a dispatcher at that moment; its page is written all the same."""
    url = f"sqlite:///{tmp_path / 'reflector.db'}"
    create_all(url)
    rows, began = Rows.at(url), _night(26) + timedelta(hours=9)
    key = "room/1763892000000-11111111-2222-3333-4444-555555555555-cam-audio-1763892001000"
    rows.insert_recording(id="rec", bucket_name="b", object_key="o", recorded_at=began,
                          track_keys=[key])  # fmt: skip
    rows.insert_transcript(id="t", recording_id="rec", status="ended", created_at=began)
    known = {"reflector": {"database_url": url}, "shadow": {"enabled": True}}
    settings = Settings.model_validate(shadow.settings.model_dump(exclude_unset=True) | known)
    clock = [AT - timedelta(days=1)]
    world = Shadow(Harness.of(settings, lambda: clock[0]), shadow.send)
    sent: list[str | None] = []

    def refuse(_harness: Harness) -> None:
        raise RefusedError("1 message waits")

    monkeypatch.setattr(job, "require_empty_queue", refuse)
    assert run_nights(world, lambda _h, one: sent.append(one.recording_id)) == ("2026-11-26",)
    assert sent == []
    monkeypatch.setattr(job, "require_empty_queue", lambda _harness: None)
    clock[0] = AT
    assert run_nights(world, lambda _h, one: sent.append(one.recording_id)) == ("2026-11-27",)
    assert sent == ["rec"]

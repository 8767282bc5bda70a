"""The nightly report is written by itself: real beat, real worker, the configured entry."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery.beat import PersistentScheduler

from reflector_migrate.cli.worker import command_of
from reflector_migrate.cutover.infrastructure import queues_are_served
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.messages import make_app
from reflector_migrate.store.migrate import upgrade

pytestmark = pytest.mark.live

WAIT_S = 60


def test_a_beat_that_slept_through_the_hour_makes_up_for_it(
    redis_server: str, tmp_path: Path
) -> None:
    """Its entry is due since yesterday: the collector writes last night's page within seconds."""
    settings = Settings.model_validate({"reflector": {"broker_url": f"{redis_server}/7"}})
    schedule = tmp_path / "beat"
    _last_ran_a_day_ago(settings, schedule)
    upgrade(f"sqlite:///{tmp_path}/s.db")
    night = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    page = tmp_path / "state/reports" / f"shadow-{night}.html"
    environ = {
        **os.environ,
        "MIGRATE_STORE__URL": f"sqlite:///{tmp_path}/s.db",
        "MIGRATE_STATE_DIR": str(tmp_path / "state"),
        "MIGRATE_REFLECTOR__BROKER_URL": settings.reflector.broker_url,
    }
    kinds = {"collector": ("--pool", "solo"), "beat": ("--schedule", str(schedule))}
    started = [
        _start(kind, options, environ, tmp_path / f"{kind}.log") for kind, options in kinds.items()
    ]
    try:
        deadline = time.monotonic() + WAIT_S
        while not page.exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        logs = "".join((tmp_path / f"{kind}.log").read_text() for kind in kinds)
        assert page.exists(), logs
        assert "INCONCLUSIVE" in page.read_text(encoding="utf-8")
        heard = queues_are_served(Harness.of(settings))
        assert (heard.state.value, heard.why) == ("fail", "no dispatcher is running")
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=20)


def _last_ran_a_day_ago(settings: Settings, path: Path) -> None:
    """What a beat leaves in its file that was stopped a day ago."""
    scheduler = PersistentScheduler(make_app(Harness.of(settings)), schedule_filename=str(path))
    entry = scheduler.schedule["nightly report"]
    entry.last_run_at = datetime.now(UTC) - timedelta(days=1, minutes=1)
    scheduler.sync()
    scheduler.close()


def _start(
    kind: str, options: tuple[str, ...], environ: dict[str, str], log: Path
) -> subprocess.Popen[bytes]:
    argv, more = command_of(kind)
    with log.open("wb") as out:
        return subprocess.Popen(
            [*argv, *options], cwd=log.parent, env={**environ, **more}, stdout=out, stderr=out
        )  # fmt: skip

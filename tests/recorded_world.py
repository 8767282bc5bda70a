"""Rows as a recorded run found them, and a store at the newest revision."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.store.base import engine_for
from tests.new_stores import new_store

RUNS = Path(__file__).parent.parent / "fixtures" / "runs"


@lru_cache(maxsize=1)
def empty_store() -> bytes:
    """The bytes of a store at the newest revision; migrating each test's own would be slow."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        new_store(f"sqlite:///{path}")
        engine_for(f"sqlite:///{path}").dispose()
        return path.read_bytes()


@lru_cache(maxsize=8)
def rows_before(scenario: str, webhook_url: str) -> bytes:
    """The bytes of a database as it was before a recorded run began."""
    recorded = recorded_rows(scenario)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.db"
        url = f"sqlite:///{path}"
        create_all(url)
        fill(Rows.at(url), recorded, webhook_url)
        engine_for(url).dispose()
        return path.read_bytes()


def recorded_rows(scenario: str) -> dict[str, Any]:
    """Every row that the real run left, by table."""
    found: dict[str, Any] = json.loads((RUNS / scenario / "rows.json").read_text())
    return found


def fill(rows: Rows, recorded: dict[str, Any], webhook_url: str) -> None:
    """The rows as they were before the recorded run began."""
    room = recorded["room"][0] | {"webhook_url": f"{webhook_url}/hook"}
    rows.insert_room(**_timed(room))
    rows.insert_meeting(**_timed(recorded["meeting"][0]))
    for consent in recorded.get("meeting_consent", ()):
        rows.insert_consent(**_timed(consent))
    rows.insert_recording(**_timed(recorded["recording"][0]))
    made = ("id", "created_at", "user_id", "meeting_id", "recording_id", "room_id")
    transcript = _timed({k: recorded["transcript"][0][k] for k in made})
    rows.insert_transcript(**transcript)


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    times = ("created_at", "recorded_at", "start_date", "end_date", "consent_timestamp")
    return {
        k: datetime.fromisoformat(v).astimezone(UTC) if k in times and v else v
        for k, v in row.items()
    }

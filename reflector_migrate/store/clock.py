"""The store's clock: UTC, and always with its zone."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant in UTC."""
    return datetime.now(UTC)


def in_utc(at: datetime | None) -> datetime | None:
    """Give back the zone that SQLite drops."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at

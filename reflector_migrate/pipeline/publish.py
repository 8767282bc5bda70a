"""Stores an event in the transcript's row, and publishes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.store.canonical_json import sha256_of


def keep(ctx: StepContext, event: str, data: Mapping[str, Any], **columns: Any) -> None:
    """Keep an event and the columns it goes with, in one transaction."""
    ctx.rows.append_event(ctx.run.transcript_id, event, data, **columns)


def tell(ctx: StepContext, event: str, data: Mapping[str, Any]) -> None:
    """Publish it; the same content goes out once per run, a status once per start."""
    user_id = ctx.rows.owner_of(ctx.run.transcript_id)
    ctx.effects.broadcast(user_id, event, data, key=f"{event}:{sha256_of(dict(data))[:16]}")


def keep_and_tell(ctx: StepContext, event: str, data: Mapping[str, Any], **columns: Any) -> None:
    """Store it first, so that a listener who missed the message finds it in the row."""
    keep(ctx, event, data, **columns)
    tell(ctx, event, data)

"""What a fresh sandbox must hold before work comes: tables, buckets, definitions."""

from __future__ import annotations

import http.client
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.sandbox.probe import request
from reflector_migrate.settings import (
    CandidateSettings,
    ReflectorSettings,
    SecondarySettings,
    Settings,
)

Place = ReflectorSettings | CandidateSettings | SecondarySettings
_S3_TIMEOUT_S = 30.0  # its first answer waits for much to be imported


def databases(settings: Settings) -> None:
    """Make Reflector's tables on both sides and bring our own store to its newest version."""
    _tables(settings.reflector.database_url, "stand-in")
    _tables(settings.candidate.database_url, "candidate")
    _function("reflector_migrate.store.migrate", "upgrade")(settings.store_url)
    _function("reflector_migrate.conductor.register", "register_all")  # import it meanwhile


def secondary(settings: Settings) -> None:
    """Tables and buckets of the secondary's own."""
    _tables(settings.secondary.database_url, "stand-in")
    _buckets(settings, settings.secondary)


def _tables(url: str | None, owner: str) -> None:
    rows = "reflector_migrate.pipeline.rows"
    _function(rows, "write_mark")(url, owner)
    _function(rows, "create_all")(url)


def buckets(settings: Settings) -> None:
    """Make the four buckets; raise ServerUnreachableError when S3 refuses one."""
    _buckets(settings, settings.reflector, settings.candidate)


def _buckets(settings: Settings, *places: Place) -> None:
    port = urlsplit(settings.s3.endpoint_url or "").port or 0
    for place in places:
        for name in (place.tracks_bucket, place.media_bucket):
            _make_bucket(port, name)


def _make_bucket(port: int, name: str) -> None:
    try:
        status, body = request("PUT", port, f"/{name}", timeout_s=_S3_TIMEOUT_S)
    except (OSError, http.client.HTTPException) as error:
        raise ServerUnreachableError(f"S3 gave no answer for bucket {name}: {error}") from None
    if status != http.client.OK:
        raise ServerUnreachableError(f"S3 refused bucket {name}: HTTP {status} {body[:200]!r}")


def definitions(harness: Harness) -> None:
    """Register the task and workflow definitions on the sandbox's Conductor."""
    _function("reflector_migrate.conductor.register", "register_all")(harness)


def _function(module: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function

"""Reads the workflow definitions that ship with the package."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any

from reflector_migrate.settings import Settings

Json = dict[str, Any]

PIPELINE = "daily_diarization_pipeline"
FAILED = "daily_diarization_pipeline_failed"
VERSION = 2
VERSIONS = range(1, VERSION + 1)
"""Our versions that a server may still be running."""

FILES = {PIPELINE: "diarization_pipeline.json", FAILED: "diarization_pipeline_failed.json"}


def workflow_definition(name: str, settings: Settings, *, knows_join_mode: bool = True) -> Json:
    """A definition as it is to be registered, with the configured owner.

    Our JOINs have `joinMode: SYNC`: without it a server looks at one that waits for minutes
    ever more rarely, up to every half a minute. Not every server knows of it.
    """
    definition = {**json.loads(_text(name)), "ownerEmail": settings.conductor.owner_email}
    return definition if knows_join_mode else _without_join_mode(definition)


def _without_join_mode(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_join_mode(item) for item in part]
    if isinstance(part, dict):
        return {k: _without_join_mode(v) for k, v in part.items() if k != "joinMode"}
    return part


@lru_cache(maxsize=len(FILES))
def _text(name: str) -> str:
    return (resources.files(__package__) / FILES[name]).read_text(encoding="utf-8")

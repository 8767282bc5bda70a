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
VERSION = 1

FILES = {PIPELINE: "diarization_pipeline.json", FAILED: "diarization_pipeline_failed.json"}


def workflow_definition(name: str, settings: Settings) -> Json:
    """A definition as it is to be registered, with the configured owner."""
    return {**json.loads(_text(name)), "ownerEmail": settings.conductor.owner_email}


@lru_cache(maxsize=len(FILES))
def _text(name: str) -> str:
    return (resources.files(__package__) / FILES[name]).read_text(encoding="utf-8")

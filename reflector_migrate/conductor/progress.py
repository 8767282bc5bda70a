"""PIPELINE_PROGRESS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reflector_migrate.settings import Settings


class Progress:
    """Tells listeners of transitions."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings."""
        self._settings = settings

    def started(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """A step begins."""

    def completed(self, step: str, raw_input: Mapping[str, Any], output: Mapping[str, Any]) -> None:
        """A step ended well."""

    def failed(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """A step ended badly, for good."""

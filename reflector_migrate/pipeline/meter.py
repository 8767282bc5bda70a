"""Counts what one run of one step consumes, from any number of threads."""

from __future__ import annotations

import threading
from typing import Any

from reflector_migrate.model import Usage


class UsageMeter:
    """Adds up usage; a step that fails has still used what it used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = Usage()

    def add(self, **counts: Any) -> None:
        """Add these fields of Usage."""
        with self._lock:
            self._total = self._total + Usage(**counts)

    @property
    def total(self) -> Usage:
        """Everything counted so far."""
        with self._lock:
            return self._total

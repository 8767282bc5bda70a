"""Counts what one run of one step consumes, from any number of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from reflector_migrate.model import Usage


class UsageMeter:
    """Adds up usage; a step that fails has still used what it used."""

    def __init__(
        self, spent: Usage | None = None, on_change: Callable[[], None] = lambda: None
    ) -> None:
        """Begin with what was `spent` before; `on_change` is called after each addition."""
        self._lock = threading.Lock()
        self._total = spent or Usage()
        self._on_change = on_change

    def add(self, **counts: Any) -> None:
        """Add these fields of Usage."""
        with self._lock:
            self._total = self._total + Usage(**counts)
        self._on_change()

    @property
    def total(self) -> Usage:
        """Everything counted so far."""
        with self._lock:
            return self._total

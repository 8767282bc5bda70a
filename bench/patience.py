"""Waits for what a benchmark has set going."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 240.0


def until(is_so: Callable[[], object]) -> None:
    """Return once it is so; SystemExit after four minutes."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit("gave up waiting")
        time.sleep(0.1)

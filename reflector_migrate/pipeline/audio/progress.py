"""Reports to the runner of a long step that it is still alive."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

Progress = Callable[[float], None]
"""Called with the seconds of sound done so far; what it raises ends the work (cancellation)."""


@dataclass(slots=True)
class Pulse:
    """Calls a progress callback at most once per interval of the monotonic clock."""

    callback: Progress | None
    interval_s: float
    _last_s: float = field(default_factory=time.monotonic)

    def beat(self, done_s: float) -> None:
        """Report, if enough time has passed since the last report."""
        if self.callback is None:
            return
        now_s = time.monotonic()
        if now_s - self._last_s >= self.interval_s:
            self._last_s = now_s
            self.callback(done_s)

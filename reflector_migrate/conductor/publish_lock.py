"""A lock with a short timeout, for best-effort work that can be repaired later."""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from types import TracebackType

from reflector_migrate.errors import ServerUnreachableError

WAIT_S = 2.0
"""How long a thread waits for its turn."""

LEFT_ALONE_S = 30.0
"""How long no thread gets a turn after a server that did not answer."""


@lru_cache(maxsize=64)
def turns_of(_store_url: str) -> Turns:
    """Those of this process with that store."""
    return Turns()


class Turns:
    """A lock that is refused with TimeoutError while its holder is stuck, and for a while after."""

    def __init__(self) -> None:
        """No thread's turn yet."""
        self._lock = threading.Lock()
        self._reopens_s = 0.0

    def __enter__(self) -> None:
        """Wait for one's turn."""
        self._refuse_if_shut()
        if not self._lock.acquire(timeout=WAIT_S):
            raise TimeoutError
        try:
            self._refuse_if_shut()
        except TimeoutError:
            self._lock.release()
            raise

    def __exit__(
        self, _kind: object, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Let the next one in, unless the server does not answer."""
        if isinstance(error, ServerUnreachableError):
            self._reopens_s = time.monotonic() + LEFT_ALONE_S
        self._lock.release()

    def _refuse_if_shut(self) -> None:
        if time.monotonic() < self._reopens_s:
            raise TimeoutError

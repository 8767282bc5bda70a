"""SIGTERM becomes an exception, so that `with` and `finally` clean up; handlers are put back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class TerminatedError(KeyboardInterrupt):
    """This process was asked to end; treated as Ctrl-C is."""


def _terminated(number: int, _frame: FrameType | None) -> NoReturn:
    raise TerminatedError(signal.Signals(number).name)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP raise TerminatedError in the main thread.

    One that is ignored stays ignored: `nohup` means it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _terminated) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM wait until the (bounded) work is done, then are delivered."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    numbers = (signal.SIGINT, *_SIGNALS)
    before = {n: signal.signal(n, lambda number, _frame: waiting.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for late in dict.fromkeys(waiting):
        signal.raise_signal(late)

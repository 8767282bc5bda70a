"""Waits for slow calls while telling the engine that the step is alive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

BEAT_S = 0.5

T = TypeVar("T")
R = TypeVar("R")
Heartbeat = Callable[[], None]


def in_order(
    work: Callable[[T], R], items: Iterable[T], *, parallel: int, heartbeat: Heartbeat
) -> Iterator[R]:
    """Results in the order of the items, at most `parallel` being worked on at once.

    Calls `heartbeat` every half second from this thread; what it raises ends the
    work. A failed item raises in its turn; work that had not begun is dropped.
    """
    pool = ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="step")
    futures = [pool.submit(work, item) for item in items]
    try:
        for future in futures:
            yield _awaited(future, heartbeat)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def patiently(work: Callable[[], R], heartbeat: Heartbeat) -> R:
    """The result of `work`, with heartbeats while it takes its time; it must bound itself."""
    (result,) = in_order(lambda _nothing: work(), [None], parallel=1, heartbeat=heartbeat)
    return result


def _awaited(future: Future[R], heartbeat: Heartbeat) -> R:
    while not wait([future], timeout=BEAT_S).done:
        heartbeat()
    return future.result()

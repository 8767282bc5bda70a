"""The children of this process: as many as configured, each with one question at a time."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from reflector_migrate.pipeline.bridge.child import Child, Hello
from reflector_migrate.pipeline.heartbeat_pool import BEAT_S, Heartbeat
from reflector_migrate.settings import PipelineSettings


class Children:
    """Starts a child when one is needed and none is idle; a broken one is not kept."""

    def __init__(self, settings: PipelineSettings) -> None:
        self._settings = settings
        self._places = threading.Semaphore(settings.children)
        self._idle: list[Child] = []
        self._lock = threading.Lock()
        self._hello: Hello | None = None

    def hello(self, heartbeat: Heartbeat) -> Hello:
        """What Reflector's environment has; asked once in this process."""
        if self._hello is None:
            with self.child(heartbeat) as child:
                return child.hello
        return self._hello

    @contextmanager
    def child(self, heartbeat: Heartbeat) -> Iterator[Child]:
        """A child for one question, waited for with heartbeats."""
        while not self._places.acquire(timeout=BEAT_S):
            heartbeat()
        try:
            child = self._take() or Child.start(self._settings, heartbeat)
            self._hello = child.hello
            try:
                yield child
            finally:
                self._put_back(child)
        finally:
            self._places.release()

    def end(self) -> None:
        """End those that are idle."""
        while (child := self._take()) is not None:
            child.end()

    def _take(self) -> Child | None:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive:
                    return child
                child.end()
        return None

    def _put_back(self, child: Child) -> None:
        if child.is_alive:
            with self._lock:
                self._idle.append(child)
        else:
            child.end()


def children(settings: PipelineSettings) -> Children:
    """This process's children; a forked or spawned process has its own."""
    return _children(os.getpid(), settings)


@lru_cache(maxsize=8)
def _children(_pid: int, settings: PipelineSettings) -> Children:
    made = Children(settings)
    atexit.register(made.end)
    return made

"""Servers that tests share end with the last test that uses them.

Workers that wait keep an idle Conductor at a third of a core, so tests of the same servers follow
one another, and nothing runs on until the end of the session.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest

SHARED = ("stage", "stack", "server", "conductor_server", "routed")
"""Fixtures of such servers, in the order in which they are used: the longest first."""

_ends: dict[str, ExitStack] = {}
_last_users: dict[str, pytest.Item] = {}


@contextmanager
def until_last_use(name: str, started: AbstractContextManager[Any]) -> Iterator[Any]:
    """What a session's fixture of that name yields, stopped after its last user."""
    with ExitStack() as ends:
        _ends[name] = ends
        yield ends.enter_context(started)


def in_order_of_use(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests, those of the same servers together; notes the last user of each server."""
    ordered = sorted(items, key=_place)
    if "PYTEST_XDIST_WORKER" not in os.environ:  # else another order may be asked for
        _last_users.update({name: item for item in ordered if (name := _shared_by(item))})
    return ordered


def end_after(item: pytest.Item) -> None:
    """Stop the servers whose last user this test was."""
    shared = _shared_by(item)
    if shared in _ends and _last_users.get(shared) is item:
        _ends.pop(shared).close()


def _place(item: pytest.Item) -> int:
    shared = _shared_by(item)
    return SHARED.index(shared) if shared else len(SHARED)


def _shared_by(item: pytest.Item) -> str | None:
    return next((name for name in SHARED if name in getattr(item, "fixturenames", ())), None)

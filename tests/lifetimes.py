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

SHARED = ("server", "conductor_server", "stage", "stack")
"""Fixtures of such servers, in the order in which they are used."""

_ends: dict[str, ExitStack] = {}
_last_users: dict[str, pytest.Item] = {}


@contextmanager
def until_last_use(name: str, started: AbstractContextManager[Any]) -> Iterator[Any]:
    """What a session's fixture of that name yields, stopped after its last user."""
    with ExitStack() as ends:
        _ends[name] = ends
        yield ends.enter_context(started)


def in_order_of_use(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests, those of the same servers together; notes who is the last user of each."""
    ordered = sorted(items, key=_place)
    if "PYTEST_XDIST_WORKER" not in os.environ:  # else another order may be asked for
        users = [(name, item) for item in ordered for name in SHARED if name in _names(item)]
        _last_users.update(users)
    return ordered


def end_after(item: pytest.Item) -> None:
    """Stop the servers whose last user this test was."""
    for name, last in _last_users.items():
        if last is item and name in _ends:
            _ends.pop(name).close()


def _place(item: pytest.Item) -> int:
    return max((n for n, name in enumerate(SHARED, 1) if name in _names(item)), default=0)


def _names(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())

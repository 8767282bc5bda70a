"""A task whose worker is silent for too long is pointed out to the server; no other is."""

from __future__ import annotations

import pytest

from reflector_migrate.conductor.catching_up import is_overdue

NOW_S = 1_000.0


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param({"startTime": 960_000}, True, id="taken long ago, never heard of"),
        pytest.param({"startTime": 960_000, "updateTime": 990_000}, False, id="its lease renewed"),
        pytest.param({"startTime": 970_500}, False, id="within a second of the timeout"),
        pytest.param({"status": "SCHEDULED", "startTime": 1}, False, id="nobody has it"),
        pytest.param({"responseTimeoutSeconds": 0, "startTime": 1}, False, id="may be silent"),
    ],
)
def test_overdue(task, expected):
    """By the response timeout, from the last sign of life."""
    base = {"status": "IN_PROGRESS", "responseTimeoutSeconds": 30, "updateTime": 0}
    assert is_overdue({**base, **task}, NOW_S) is expected

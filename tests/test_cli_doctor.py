"""What the doctor says without any server."""

import pytest

from reflector_migrate.cli.doctor import _secondary
from reflector_migrate.cutover.infrastructure import celery_answers, queues_are_served
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings


@pytest.mark.parametrize(
    ("rate", "is_sandbox", "state"),
    [(0.0, False, "pass"), (0.1, True, "pass"), (0.1, False, "fail")],
)
def test_a_share_of_second_runs_that_no_worker_would_make(rate, is_sandbox, state):
    """Elsewhere than in a sandbox it needs places of its own, or the setting would do nothing."""
    settings = Settings.model_validate(
        {"is_sandbox": is_sandbox, "shadow": {"secondary_rate": rate}}
    )
    assert _secondary(Harness.of(settings)).state.value == state


def test_a_broker_that_is_away_is_not_a_broker_without_workers():
    """Said as what it is, for the primary's workers and for ours."""
    settings = Settings.model_validate({"reflector": {"broker_url": "redis://127.0.0.1:1/0"}})
    for look in (celery_answers, queues_are_served):
        found = look(Harness.of(settings))
        assert (found.state.value, found.value) == ("fail", "unreachable")

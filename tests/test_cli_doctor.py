"""What the doctor says without any server."""

import pytest

from reflector_migrate.cli.doctor import _secondary
from reflector_migrate.settings import Settings


@pytest.mark.parametrize(
    ("rate", "is_sandbox", "state"),
    [(0.0, False, "pass"), (0.1, True, "pass"), (0.1, False, "fail")],
)
def test_a_share_of_second_runs_that_nobody_would_make(rate, is_sandbox, state):
    """Only a sandbox runs legacy a second time; elsewhere the setting would do nothing."""
    settings = Settings.model_validate(
        {"is_sandbox": is_sandbox, "shadow": {"secondary_rate": rate}}
    )
    assert _secondary(settings).state.value == state

"""The same end-to-end comparison on the server that the requirements name."""

from __future__ import annotations

import pytest

from reflector_migrate.model import Verdict
from reflector_migrate.sandbox.compare import compare_in_sandbox
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings

PATIENT = Settings.model_validate({"sandbox": {"start_timeout_s": 240.0}})


@pytest.mark.live
def test_the_seeds_own_server_gives_the_same_verdicts(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Conductor 3.15.0 with Redis: three tracks match, a failing recording matches too."""
    folder = tmp_path_factory.mktemp("v315")
    with Sandbox(PATIENT, folder, shadow=True, conductor_version="3.15.0") as sandbox:
        for name in ("three-voices", "consent-denied", "unknown-sound"):
            found = compare_in_sandbox(sandbox.settings, name, timeout_s=240)
            assert found.verdict is Verdict.MATCHED, name

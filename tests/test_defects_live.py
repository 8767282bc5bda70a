"""`migrate defects run` on real servers: one defect of each layer, and what must not be caught."""

from __future__ import annotations

import json
import subprocess
import sys

import jsonschema
import pytest

from reflector_migrate.experiments.defect_proofs import DefectsRun
from reflector_migrate.pipeline.defects.registry import describe

pytestmark = pytest.mark.live

DOOR = [sys.executable, "-c", "from reflector_migrate.cli.main import main; main()"]
ONE_A_LAYER = ("consent_cleanup_skipped", "padding_applied_at_zero", "title_not_stored")


def _migrate(stack, *argv: str) -> subprocess.CompletedProcess[str]:
    config = ["--config", str(stack.folders.config)]
    return subprocess.run(
        [*DOOR, *config, *argv], capture_output=True, text=True, timeout=280, check=False
    )


def test_one_defect_of_each_layer_is_caught_by_real_workers(stack, tmp_path):
    """G0, G1 and G2, each at its step; the envelope to its schema; the workers sound after."""
    assert {describe(name).layer[:2] for name in ONE_A_LAYER} == {"G0", "G1", "G2"}
    page = tmp_path / "defects.md"
    done = _migrate(stack, "defects", "run", *ONE_A_LAYER, "--json", "-o", f"md:{page}")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    jsonschema.validate(found, DefectsRun.model_json_schema(by_alias=True))
    assert found["schema"] == "migrate.defects/1"
    assert [(d["defect"], d["caught"]) for d in found["defects"]] == [
        (n, True) for n in ONE_A_LAYER
    ]
    for proof in found["defects"]:
        assert proof["first_divergent_step"] == proof["expected_step"]
        assert proof["layer"] in proof["caught_by"]
    assert page.read_text().count("| ✓ `") == len(ONE_A_LAYER)
    assert stack.settings.workers.defects == ()
    assert "defects = []" in stack.folders.config.read_text()


def test_an_unknown_defect_is_a_usage_error(stack):
    """Exit 2 and the nearest name, before anything is run."""
    done = _migrate(stack, "defects", "run", "track_swapped")
    assert done.returncode == 2
    assert "did you mean tracks_swapped" in done.stderr

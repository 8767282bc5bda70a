"""`migrate retry`: the failed step alone, with what is stored; `ended` comes after `error`.

Apart from the reruns: every drama is the same run, and a server knows a run once.
"""

from __future__ import annotations

import pytest

from tests.restart_left import differences, left_by
from tests.test_shadow_again import command, migrate, register, states_of, told_again

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


def test_retry_by_command(drama, undisturbed):
    """`migrate retry` runs the failed step alone, and reuses stored answers."""
    it = drama()
    it.world.control.set_fault("llm", "http_4xx", times=1, match="one meeting title")
    it.begin()
    assert it.end().failed_steps == ("generate_title",)
    register(it)
    early = command(it, "rerun", it.world.run.recording_id, "--from", "send_webhook")
    assert (early.returncode, "has not reached" in early.stderr) == (2, True)
    said = migrate(it, "retry", it.world.run.recording_id)  # the failure may not be told yet
    assert f"workflow {it.workflow_id} continues" in said
    assert it.end().status == "completed"
    runs = {step: it.times("runs", step) for step in ("detect_topics", "generate_title")}
    assert runs == {"detect_topics": 1, "generate_title": 2}
    expected = {**undisturbed["shadow"], "llm": undisturbed["shadow"]["llm"] + 1}
    left = left_by(it.world)
    assert told_again(left, expected) == {"error": 2, "processing": 2}
    assert differences(left | {"told": []}, expected | {"told": []}) == {}
    told = ["pending", "in_progress", "failed", "pending", "in_progress", "completed"]
    assert states_of(it, "generate_title") == told
    assert states_of(it, "detect_topics") == ["pending", "in_progress", "completed"]

"""What a side does not show is not compared: nothing saw it, or the step failed on the primary."""

from __future__ import annotations

from typing import Any

import pytest

from comparators.row import compare_row
from comparators.side_effects import compare_side_effects
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import (
    UNSEEN_WEBHOOK,
    UNSEEN_ZULIP,
    Effect,
    Engine,
    Observation,
    Role,
    StepRun,
    Verdict,
)

MESSAGE = Effect(kind="zulip_message", key="board", payload={"topic": "board", "content": "# Hi"})
WEBHOOK = Effect(kind="webhook", key="transcript.completed", payload={"body": "{}"})
DELETION = Effect(kind="s3_delete", key="t/audio.mp3")
SOUND = Effect(kind="s3_put", key="t/audio.mp3", size_bytes=900)


def _side(role: Role, *effects: Effect, row: dict[str, Any] | None = None, **more: Any):
    engine = Engine.CELERY if role is Role.PRIMARY else Engine.CONDUCTOR
    return Observation(
        recording="r", role=role, engine=engine, status=more.pop("status", "completed"),
        effects=effects, outputs={"row": {"id": "t", "status": "ended"} | (row or {})}, **more,
    )  # fmt: skip


def _failed(name: str) -> StepRun:
    return StepRun(name=name, status="failed")


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors"),
    [
        pytest.param(
            {"steps": (_failed("post_zulip"),)}, (MESSAGE, WEBHOOK), 0,
            id="Zulip failed on the primary: neither message nor the webhook behind it",
        ),
        pytest.param(
            {"steps": (_failed("cleanup_consent"),), "effects": (SOUND,)}, (DELETION,), 0,
            id="consent failed on the primary: what it left is no yardstick",
        ),
        pytest.param({"notes": (UNSEEN_WEBHOOK,)}, (WEBHOOK,), 0, id="no webhook was seen"),
        pytest.param({"notes": (UNSEEN_ZULIP,)}, (MESSAGE,), 0, id="no message was seen"),
        pytest.param({}, (WEBHOOK,), 1, id="seen to be absent"),
        pytest.param({"notes": (UNSEEN_ZULIP,)}, (WEBHOOK,), 1, id="another kind was seen"),
        pytest.param(
            {"steps": (_failed("send_webhook"),)}, (MESSAGE,), 1,
            id="the webhook failed: the message before it was not sent",
        ),
    ],
)  # fmt: skip
def test_what_nothing_saw_concludes_nothing(
    reference: dict[str, Any], hypothesis: tuple[Effect, ...], errors: int
) -> None:
    """Not seen is not absent, and a step that failed on the primary cannot be a standard."""
    mine = _side(Role.PRIMARY, *reference.pop("effects", ()), **reference)
    measure = compare_side_effects(mine, _side(Role.CANDIDATE, *hypothesis))
    assert (measure.errors, bool(measure.inconclusive)) == (errors, not errors)


def test_the_row_of_a_primary_whose_zulip_failed():
    """Its missing message id says nothing of the candidate's; another column still does."""
    unposted = {"zulip_message_id": None, "locked": False}
    mine = _side(Role.PRIMARY, row=unposted, steps=(_failed("post_zulip"),))
    theirs = {"zulip_message_id": -7, "locked": False}
    measure = compare_row(mine, _side(Role.CANDIDATE, row=theirs))
    assert (measure.errors, measure.inconclusive) == (0, "post_zulip failed on the primary")
    measure = compare_row(mine, _side(Role.CANDIDATE, row=theirs | {"locked": True}))
    assert [finding.path for finding in measure.findings] == ["row/locked"]


@pytest.mark.parametrize(
    ("cause", "verdict", "rule"),
    [
        pytest.param("passing", Verdict.INCONCLUSIVE, "outage-met-by-both", id="a server was away"),
        pytest.param("outage", Verdict.INCONCLUSIVE, "outage-met-by-both", id="a database was"),
        pytest.param(None, Verdict.MATCHED, "completion", id="the sound itself was refused"),
    ],
)
def test_an_outage_that_both_sides_meet(cause, verdict, rule):
    """Two halves of a transcript, cut off by a server, neither agree nor differ."""
    mine = _side(Role.PRIMARY, status="failed", steps=(_failed("transcribe_track"),))
    broken = StepRun(name="transcribe_track", status="failed", cause=cause)
    found = compare(mine, _side(Role.CANDIDATE, WEBHOOK, status="failed", steps=(broken,)))
    completion = next(check for check in found.checks if check.name == "completion")
    assert (completion.verdict, completion.rule) == (verdict, rule)
    if cause:
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.first_divergent_step is None

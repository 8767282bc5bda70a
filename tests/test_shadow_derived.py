"""Attached to a deployment, what went to Zulip and webhooks is unseen: rows and tasks show it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reflector_migrate.experiments.compare import compare_in_sandbox
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Effect, Observation, Role, Verdict
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.sides import observe_primary
from reflector_migrate.store.evidence import Evidence, Spans
from reflector_migrate.store.runs import RunRecord, Runs

pytestmark = pytest.mark.live

TOLD = {"zulip_message", "zulip_update", "webhook"}
OWN = {"event_id", "timestamp"}  # made anew for each delivery; nobody can derive them


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        pytest.param("three-voices", {"zulip_message", "webhook"}, id="a message and a webhook"),
        pytest.param("reprocess", {"zulip_update"}, id="an earlier message is changed"),
    ],
)
def test_what_is_derived_is_what_was_seen(stack: Sandbox, name: str, kinds: set[str]) -> None:
    """The same effects, text for text and field by field, and the same verdict about them."""
    run = _compared(stack.settings, name)
    seen, derived = (
        _told(_account(stack.settings, run)),
        observe_primary(Harness.of(_blind(stack)), run),
    )
    assert {effect.kind for effect in seen} >= kinds
    assert _said(_told(derived)) == _said(seen)
    assert all(any(word in note for note in derived.notes) for word in ("zulip", "webhook"))
    candidate = Evidence(stack.settings.store_url).observation(run.run_id, Role.CANDIDATE)
    assert candidate is not None
    checks = {check.name: check for check in compare(derived, candidate).checks}
    found = checks["side_effects"]
    assert found.verdict is Verdict.MATCHED, found.measure and found.measure.findings


@pytest.mark.parametrize("task", ["task_pipeline_post_to_zulip", "send_transcript_webhook"])
def test_a_failed_task_sent_nothing(stack: Sandbox, task: str) -> None:
    """Neither is a message taken for sent because the row could have one, nor a webhook."""
    run = _compared(stack.settings, "three-voices")
    spans = [dict(span) for span in Spans(stack.settings.store_url).of(run.transcript_id)]
    failed = [s | {"state": "FAILURE"} if str(s["task"]).endswith(task) else s for s in spans]
    kind = "webhook" if "webhook" in task else "zulip_message"
    assert kind in _kinds(stack, run, spans)
    assert kind not in _kinds(stack, run, failed)


def _kinds(stack: Sandbox, run: RunRecord, spans: list[dict[str, Any]]) -> set[str]:
    from reflector_migrate.shadow.observe.reader import observe, primary_of

    blind = _blind(stack)
    found = observe(Harness.of(blind), primary_of(blind), run.recording_id, spans=spans)
    return {effect.kind for effect in found.effects}


def _blind(stack: Sandbox) -> Settings:
    """The sandbox's settings as of a deployment whose services keep no records for us."""
    sandbox = stack.settings.sandbox.model_copy(update={"control_url": None})
    return stack.settings.model_copy(update={"sandbox": sandbox})


def _compared(settings: Settings, name: str) -> RunRecord:
    """The recording's last run, as it still stands in the rows; a new one if there is none."""
    recording = load_recording(settings.sandbox.recordings, name)
    run = Runs(settings.store_url).latest(recording.recording_id)
    row = Rows.at(settings.reflector.database_url or "").transcript_of(recording.recording_id)
    if run is None or row is None or run.state != "compared" or run.transcript_id != row.id:
        made = Runs(settings.store_url).by_id(
            compare_in_sandbox(Harness.of(settings), name, timeout_s=240).run_id
        )
        assert made is not None
        return made
    return run


def _account(settings: Settings, run: RunRecord) -> Observation:
    found = Evidence(settings.store_url).observation(run.run_id, Role.PRIMARY)
    assert found is not None
    return found


def _told(observation: Observation) -> list[Effect]:
    return [effect for effect in observation.effects if effect.kind in TOLD]


def _said(effects: list[Effect]) -> list[tuple[str, str, Any]]:
    """Kind, topic and what it says; of an envelope nothing."""
    return sorted((e.kind, e.key, json.dumps(_words(e), sort_keys=True)) for e in effects)


def _words(effect: Effect) -> Any:
    if effect.kind != "webhook":
        return effect.payload["content"]
    return {k: v for k, v in json.loads(effect.payload["body"]).items() if k not in OWN}

"""What the plugin saw of the primary's calls, as usage by step and effects as sent."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from datetime import timedelta

import pytest

from comparators.side_effects import compare_side_effects
from reflector_migrate.cli.doctor import _observed
from reflector_migrate.harness import Harness
from reflector_migrate.model import UNSEEN_WEBHOOK, Effect, Observation
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.app import keep_spans
from reflector_migrate.shadow.erase import forget_unclaimed
from reflector_migrate.shadow.observe.calls import (
    calls_of,
    text_of,
    unseen_services,
    webhooks_sent,
    zulip_sent,
)
from reflector_migrate.shadow.observe.timings import steps_of
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Spans
from reflector_migrate.store.migrate import upgrade
from reflector_migrate.store.runs import RunRecord
from tests.new_stores import new_store
from tests.run_states import brought

PIPELINE = "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process"
POSTING = "reflector.pipelines.main_live_pipeline.task_pipeline_post_to_zulip"
DELIVERY = "reflector.worker.webhook.send_transcript_webhook"


def made(service, *, inside="", n=0, status=200, method="POST", asked=None, **more):
    """One call's facts."""
    call = {
        "service": service, "method": method, "status": status, "started": 100.0,
        "duration_s": 2.0, "request_bytes": 1, "answer_bytes": 1, **more,
    }  # fmt: skip
    if inside:
        call |= {"inside": inside, "n": n}
    if asked is not None:
        call["asked"] = base64.b64encode(zlib.compress(asked.encode())).decode()
    return call


def task(name, calls=None, spans=(), state="SUCCESS", task_id="task"):
    """A task's message."""
    told = {
        "task": name, "task_id": task_id, "transcript_id": "t", "state": state,
        "started": 99.0, "duration_s": 9.0, "spans": list(spans),
    }  # fmt: skip
    return told if calls is None else {**told, "calls": calls}


def span(name, n=0):
    """An inner step's time."""
    return {"name": name, "n": n, "started": 99.0, "duration_s": 1.0, "ok": True}


def test_usage_is_counted_by_step_and_track():
    """Tokens by call, recogniser seconds by track; a step without calls used nothing."""
    calls = [
        made("recogniser", inside="transcribe_file", n=1),
        made("llm", inside="generate_title", tokens_in=10, tokens_out=2),
        made("llm", inside="generate_summaries", tokens_in=30, tokens_out=4),
        made("llm", inside="generate_summaries", tokens_in=1, tokens_out=1),
    ]
    names = ("transcribe_file", "generate_title", "generate_summaries", "mixdown_tracks")
    spans = [*(span(name) for name in names), span("transcribe_file", 1)]
    steps = {(s.name, s.track_index): s.usage for s in steps_of([task(PIPELINE, calls, spans)])}
    assert steps["transcribe_track", 0].gpu_seconds == 0
    assert steps["transcribe_track", 1].gpu_seconds == 2.0
    assert steps["transcribe_track", 1].gpu_seconds_estimated
    assert steps["generate_title", None].llm_tokens_per_call == ((10, 2),)
    assert steps["generate_summary", None].llm_tokens_in == 31
    assert steps["mixdown_tracks", None].external_calls == 0


def test_a_task_that_is_a_step_has_all_its_calls():
    """Zulip and webhook are tasks of their own."""
    (step,) = steps_of([task(POSTING, [made("zulip"), made("zulip")])])
    assert (step.name, step.usage.external_calls) == ("post_zulip", 2)


def test_a_message_is_an_effect_as_it_was_sent():
    """Its text, from the form; a change names the message."""
    new, changed = (
        made("zulip", asked="type=stream&to=general&topic=m&content=a+%26+b"),
        made("zulip", method="PATCH", asked="topic=m&content=c"),
    )
    found = list(zulip_sent([new, changed], 7) or ())
    assert [effect.kind for effect in found] == ["zulip_message", "zulip_update"]
    assert found[0].payload == {"type": "stream", "to": "general", "topic": "m", "content": "a & b"}
    assert found[1].payload == {"message_id": 7, "topic": "m", "content": "c"}


def test_a_delivery_tried_again_is_one_effect():
    """Its bytes as they were sent the last time, by event id."""
    bodies = [json.dumps({"event_id": "e", "n": n}) for n in (1, 2)]
    found = webhooks_sent([made("webhook", asked=body) for body in bodies]) or []
    assert [effect.payload["body"] for effect in found] == bodies[1:]


@pytest.mark.parametrize(
    ("spans", "found"),
    [
        pytest.param([], None, id="no task: unknown"),
        pytest.param([task(DELIVERY)], None, id="a task that was not observed: unknown"),
        pytest.param([task(DELIVERY, [])], None, id="it may call by another library: unknown"),
        pytest.param([task(DELIVERY, [made("zulip")])], None, id="another service: unknown"),
        pytest.param([task(DELIVERY, [made("webhook", status=500)])], 0, id="refused"),
        pytest.param([task(DELIVERY, [made("webhook")])], 1, id="sent"),
    ],
)
def test_what_nothing_saw_is_unknown(spans, found):
    """None, and never an empty list."""
    calls = calls_of(spans, "send_transcript_webhook", "webhook")
    assert calls == found if found is None else len(calls) == found


def test_an_unseen_webhook_is_not_a_difference():
    """The other side's concludes nothing; where it was seen not to happen, it is one."""
    sent = Effect(kind="webhook", key="transcript.completed", payload={"body": "{}"})
    known = {"recording": "r", "engine": "celery", "status": "completed"}
    candidate = Observation(**known, role="candidate", effects=(sent,))
    unseen = Observation(**known, role="primary", notes=(UNSEEN_WEBHOOK,))
    measure = compare_side_effects(unseen, candidate)
    assert (measure.errors, measure.inconclusive) == (0, UNSEEN_WEBHOOK)
    seen = Observation(**known, role="primary")
    assert compare_side_effects(seen, candidate).errors == 1


def test_a_body_that_unpacks_without_end_is_left():
    """Any writer to the broker can send one."""
    bomb = base64.b64encode(zlib.compress(b"0" * (9 << 20))).decode()
    assert text_of({"asked": bomb}, "asked") is None
    assert text_of({"asked": "not packed"}, "asked") is None


def test_bodies_are_forgotten_with_the_run(tmp_path):
    """Tokens and digests stay."""
    url = f"sqlite:///{tmp_path / 'm.db'}"
    upgrade(url)
    store = Spans(url)
    store.add(task(PIPELINE, [made("llm", asked="secret words", tokens_in=3, tokens_out=1)]))
    store.forget_bodies("t")
    ((told,),) = [message["calls"] for message in store.of("t")]
    assert "asked" not in told
    assert told["tokens_in"] == 3


@pytest.fixture
def shadow(tmp_path):
    """A store, and a primary's database with the transcript `other` alone."""
    urls = [f"sqlite:///{tmp_path / name}" for name in ("m.db", "reflector.db")]
    new_store(urls[0])
    create_all(urls[1])
    Rows.at(urls[1]).insert_transcript(id="other", status="ended", created_at=now())
    raw = {"store": {"url": urls[0]}, "reflector": {"database_url": urls[1]}}
    return Shadow(Harness.of(Settings.model_validate(raw)), lambda _run, _delay_s: None)


def bodies_left(shadow, transcript_id="t"):
    """Calls of it that still have what was said."""
    return shadow.harness.spans.bodies_left(transcript_id)


@pytest.mark.parametrize(
    ("states", "left"),
    [
        pytest.param([], 1, id="its announcement is on its way"),
        pytest.param(["skipped"], 0, id="not sampled"),
        pytest.param(["skipped", "waiting"], 1, id="processed again"),
    ],
)
def test_what_arrives_after_the_erasing_keeps_no_body(shadow, states, left):
    """A run that is left out is erased before its primary has ended and tells of its calls."""
    for number, state in enumerate(states):
        run = RunRecord(f"r{number}", f"c{number}", "rec", "t", "shadow", primary_task_id=state)
        assert shadow.runs.claim(run)
        erased = {"erase_at": now()} if state == "skipped" else {}
        brought(shadow.runs, run.run_id, state, **erased)
    keep_spans(shadow, task(PIPELINE, [made("llm", asked="secret words")]))
    assert bodies_left(shadow) == left


def test_bodies_without_a_run_are_forgotten_by_the_same_rules(shadow):
    """After the days of retention, or once the primary's row is gone; not while it is young."""
    for name in ("t", "other"):
        message = task(PIPELINE, [made("llm", asked="secret words")]) | {"transcript_id": name}
        shadow.harness.spans.add({**message, "task_id": name})
    left = []
    for days in (0, 2, 31):
        later = replace(shadow.harness, now=lambda passed=days: now() + timedelta(days=passed))
        forget_unclaimed(Shadow(later, shadow.send))
        left.append((bodies_left(shadow), bodies_left(shadow, "other")))
    assert left == [(1, 1), (0, 1), (0, 0)]


def test_the_doctor_names_the_service_that_nothing_saw(tmp_path):
    """A deployment whose recogniser is called through another library is not silent about it."""
    url = f"sqlite:///{tmp_path / 'm.db'}"
    upgrade(url)
    settings = Settings.model_validate({"store": {"url": url}})
    assert _observed(Harness.of(settings)).state.value == "pass"
    spans = [span("transcribe_file"), span("on_topic")]
    Spans(url).add(task(PIPELINE, [made("llm")], spans))
    found = _observed(Harness.of(settings))
    assert (found.state.value, found.why) == ("fail", "not seen: recogniser")
    assert unseen_services([task(PIPELINE, [], spans, state="FAILURE")]) == []

"""What of the legacy pipeline can go: a table of what the two witnesses say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from reflector_migrate.cutover.cleanup import Seen, Use, look, plan
from reflector_migrate.harness import Harness
from reflector_migrate.model.primary_task import PIPELINE
from reflector_migrate.settings import Settings
from reflector_migrate.store.evidence import Spans
from reflector_migrate.store.migrate import upgrade

pytestmark = pytest.mark.heavy

AT = datetime(2026, 11, 29, tzinfo=UTC)
BODY = f"their.{PIPELINE}"
OTHER = "their.other"
DAY_S = 86400.0


def ago(days: float) -> datetime:
    """So many days before."""
    return AT - timedelta(days=days)


@pytest.mark.parametrize(
    ("name", "spans", "calls", "up_days", "use"),
    [
        pytest.param(BODY, [(BODY, ("mix",), ago(1))], {BODY: 9}, 99, Use.USED, id="a body ran"),
        pytest.param(BODY, [(BODY, ("mix",), ago(20))], {}, 1, Use.UNUSED, id="its last is old"),
        pytest.param(BODY, [(BODY, (), ago(1))], {BODY: 9}, 1, Use.UNUSED, id="only routed"),
        pytest.param(BODY, [], {BODY: 9}, 99, Use.USED, id="called, and nothing timed it"),
        pytest.param(OTHER, [(OTHER, (), ago(1))], {}, 99, Use.USED, id="a task of the chain"),
        pytest.param(OTHER, [], {}, 15, Use.UNUSED, id="not called since its worker started"),
        pytest.param(OTHER, [], {}, 13, Use.UNKNOWN, id="its worker is too young to tell"),
        pytest.param(OTHER, [], {OTHER: 1}, 99, Use.USED, id="called by something else"),
    ],
)
def test_what_a_task_is(name, spans, calls, up_days, use):
    """Unused only where a witness saw nothing for fourteen nights."""
    seen = Seen(frozenset({name}), {}, spans, calls, up_days * DAY_S)
    (found,) = (part for part in plan(seen, 14, AT) if part.kind == "task")
    assert (found.name, found.use) == (name, use), found.why


def test_inner_steps_and_schedules_have_lines_of_their_own():
    """An entry of beat's schedule calls its task by itself: it is never unused."""
    spans = [(BODY, ("mix", "pad"), ago(20)), (BODY, ("pad",), ago(2))]
    seen = Seen(frozenset(), {"poll": OTHER, "body": BODY}, spans, {OTHER: 3}, 99 * DAY_S)
    assert {(p.kind, p.name, p.use) for p in plan(seen, 14, AT)} == {
        ("step", "mix", Use.UNUSED), ("step", "pad", Use.USED),
        ("schedule", "poll", Use.USED), ("schedule", "body", Use.USED),
    }  # fmt: skip


def test_a_real_worker_is_asked(tmp_path, redis_server):
    """Its tasks, its schedule, what it has called; workers without the pipeline are left out."""
    broker = f"{redis_server}/9"
    settings = Settings.model_validate({
        "store": {"url": f"sqlite:///{tmp_path}/s.db"}, "reflector": {"broker_url": broker},
    })  # fmt: skip
    upgrade(settings.store_url)
    message = {"task_id": "a", "transcript_id": "t", "task": BODY, "spans": [{"name": "pad"}]}
    Spans(settings.store_url).add(message)
    app = Celery("theirs", broker=broker, set_as_current=False)
    app.conf.beat_schedule = {"poll": {"task": OTHER, "schedule": 180.0}}

    @app.task(name=BODY, shared=False)
    def body() -> None:
        """Their pipeline."""

    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="WARNING"):
        found = look(Harness.of(settings))
    assert BODY in found.registered  # beside it, what other tests share with every app
    assert not [name for name in found.registered if name.startswith(("celery.", "migrate."))]
    assert found.schedule == {"poll": OTHER}
    assert [(task, steps) for task, steps, _at in found.spans] == [(BODY, ("pad",))]

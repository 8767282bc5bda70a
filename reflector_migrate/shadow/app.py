"""The harness's own Celery app: dispatch, collect and report on queues of their own.

celery -A reflector_migrate.shadow.app:app worker -Q shadow,collect
celery -A reflector_migrate.shadow.app:app beat
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Celery, Task
from celery.schedules import crontab
from celery.signals import worker_ready

from reflector_migrate.settings import Settings, load_settings

log = logging.getLogger(__name__)

WAIT_S = 15
LOST_AFTER_S = 300
DISPATCH = "migrate.shadow.dispatch"
SPANS = "migrate.shadow.spans"
COLLECT = "migrate.shadow.collect"
SWEEP = "migrate.shadow.sweep"
REPORT = "migrate.report.nightly"


def make_app(settings: Settings) -> Celery:
    """The app, on the broker that the primary uses, with results kept nowhere."""
    made = Celery("reflector_migrate.shadow", broker=settings.reflector.broker_url)
    made.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"socket_timeout": 10, "socket_connect_timeout": 5},
        task_default_queue="collect",
        task_routes={DISPATCH: {"queue": "shadow"}, SPANS: {"queue": "shadow"}},
        beat_schedule={
            "sweep": {"task": SWEEP, "schedule": 60.0},
            "nightly report": {"task": REPORT, "schedule": crontab(hour=3, minute=30)},
        },
    )
    return made


app = make_app(load_settings())


@app.task(name=DISPATCH, bind=True, max_retries=None)
def dispatch(self: Task, message: dict[str, Any]) -> None:
    """A primary run has begun: start the candidate's, once; wait for a place in flight."""
    from reflector_migrate.shadow.announcement import parse
    from reflector_migrate.shadow.dispatcher import dispatch as start

    settings = load_settings()
    done = start(settings, parse(message))
    if done.outcome == "waiting":
        raise self.retry(countdown=WAIT_S)
    if done.outcome == "started":
        collect.apply_async(args=[done.run_id], countdown=settings.shadow.poll_s)


@app.task(name=SPANS)
def spans(message: dict[str, Any]) -> None:
    """The plugin's timings of one task of the primary."""
    from reflector_migrate.store.evidence import Spans

    Spans(load_settings().store_url).add(message)


@app.task(name=COLLECT, bind=True, max_retries=None)
def collect(self: Task, run_id: str) -> None:
    """Compare once both sides have ended; until then, look again later."""
    from reflector_migrate.shadow.collector import collect as look

    settings = load_settings()
    if not look(settings, run_id):
        raise self.retry(countdown=settings.shadow.poll_s)


@app.task(name=SWEEP)
def sweep() -> None:
    """Pick up runs whose dispatcher or collector was lost with its worker."""
    from reflector_migrate.store.clock import now
    from reflector_migrate.store.runs import Runs

    for run in Runs(load_settings().store_url).open():
        if now() - run.updated_at < timedelta(seconds=LOST_AFTER_S):
            continue
        if run.state == "started":
            collect.delay(run.run_id)
        else:
            dispatch.delay(dict(run.request))


@app.task(name=REPORT)
def nightly_report() -> None:
    """Write last night's page."""
    from reflector_migrate.shadow.nightly.night import write_report

    night = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    log.info("nightly report written to %s", write_report(load_settings(), night))


@worker_ready.connect
def _tell_that_we_are_ready(**_: Any) -> None:
    from reflector_migrate.settings import mark_ready

    mark_ready()

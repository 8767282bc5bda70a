"""The shadow's messages: their names, their queues, and the Celery app that carries them."""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery
from celery.schedules import crontab
from kombu.exceptions import OperationalError

from reflector_migrate.harness import Harness
from reflector_migrate.model.run_life import RunState
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.process import Send
from reflector_migrate.store.runs import RunRecord

log = logging.getLogger(__name__)

DISPATCH = "migrate.shadow.dispatch"
SPANS = "migrate.shadow.spans"
ADVANCE = "migrate.shadow.advance"
SWEEP = "migrate.shadow.sweep"
ERASE = "migrate.shadow.erase"
REPORT = "migrate.report.nightly"

SWEEP_S = 60.0
ERASE_S = 600.0
DAY_S = 86400.0
DISPATCHED = frozenset({RunState.CLAIMED, RunState.SNAPSHOTTING, RunState.STARTING})
"""States that a dispatcher works on; a collector works on the others."""


def until_done(settings: Settings) -> dict[str, Any]:
    """What all our apps have in common: a message stays the broker's until it is done."""
    return {
        "broker_url": settings.reflector.broker_url,
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "broker_connection_retry_on_startup": True,
    }


def config_of(settings: Settings) -> dict[str, Any]:
    """Celery's configuration: the primary's broker, our queues, results kept nowhere."""
    return {
        **until_done(settings),
        "broker_transport_options": {"socket_timeout": 10, "socket_connect_timeout": 5},
        "task_default_queue": "collect",
        "task_routes": {DISPATCH: {"queue": "shadow"}, SPANS: {"queue": "shadow"}},
        "beat_schedule": {
            "sweep": {"task": SWEEP, "schedule": SWEEP_S, "options": {"expires": SWEEP_S}},
            "erase": {"task": ERASE, "schedule": ERASE_S, "options": {"expires": ERASE_S}},
            "nightly report": {
                "task": REPORT,
                "schedule": crontab(hour=3, minute=30),
                "options": {"expires": DAY_S},
            },
        },
    }


def make_app(harness: Harness) -> Celery:
    """An app to send messages with, or to schedule them."""
    return harness.broker(**config_of(harness.settings))


def sender(app: Celery) -> Send:
    """Sends a run's message by that app; one that cannot be sent is left to the sweep."""

    def send(run: RunRecord, delay_s: float) -> None:
        queue = "shadow" if run.state in DISPATCHED else "collect"
        try:
            app.send_task(ADVANCE, args=[run.run_id, run.owner], countdown=delay_s, queue=queue)
        except OperationalError as error:
            log.warning("run %s: message not sent: %s", run.run_id, type(error).__name__)

    return send

"""The stand-in's Celery app: `celery -A reflector_migrate.sandbox.legacy.app worker`.

Configured as sparsely as Reflector's: one queue, JSON, acknowledged early, no
time limits. Settings are read once, when a worker or client imports this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from celery import Celery

from reflector_migrate.settings import Settings, load_settings

PREFIX = "reflector."
TASKS = tuple(
    f"reflector_migrate.sandbox.legacy.{name}" for name in ("process", "monolith", "post")
)
POLL_S = 180.0


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process."""
    return load_settings()


def make_app(configured: Settings) -> Celery:
    """An app on the configured broker; nothing else differs from Celery's defaults."""
    reflector = configured.reflector
    made = Celery("reflector", broker=reflector.broker_url, include=TASKS)
    made.conf.task_default_queue = reflector.queue
    made.conf.result_backend = reflector.result_backend or reflector.broker_url
    made.conf.broker_connection_retry_on_startup = True
    made.conf.beat_schedule = {
        "poll_daily_recordings": {
            "task": f"{PREFIX}worker.process.poll_daily_recordings",
            "schedule": POLL_S,
        }
    }
    return made


app = make_app(settings())


def registered(name: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Register a function as the task of this name, `reflector.` in front."""
    made: Callable[[Callable[..., Any]], Any] = app.task(name=PREFIX + name, **options)
    return made

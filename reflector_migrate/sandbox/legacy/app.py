"""The stand-in's Celery app: `celery -A reflector_migrate.sandbox.legacy.app worker`.

Configured as sparsely as Reflector's: one queue, JSON, acknowledged early, no
time limits. Settings are read once, when the app is first configured: see `harness.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from celery import Celery

from reflector_migrate.entrance import loaded_settings
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings

PREFIX = "reflector."
TASKS = tuple(
    f"reflector_migrate.sandbox.legacy.{name}" for name in ("process", "monolith", "post")
)
POLL_S = 180.0


@cache
def harness() -> Harness:
    """That of this process."""
    return Harness.of(loaded_settings())


def config_of(configured: Settings) -> dict[str, Any]:
    """Celery's configuration: a broker; nothing else differs from Celery's defaults."""
    reflector = configured.reflector
    return {
        "broker_url": reflector.broker_url,
        "task_default_queue": reflector.queue,
        "result_backend": reflector.result_backend or reflector.broker_url,
        "broker_connection_retry_on_startup": True,
        "beat_schedule": {
            "poll_daily_recordings": {
                "task": f"{PREFIX}worker.process.poll_daily_recordings",
                "schedule": POLL_S,
            }
        },
    }


def make_app(configured: Settings) -> Celery:
    """An app on the configured broker, to send tasks with."""
    made = Celery("reflector")
    made.conf.update(config_of(configured))
    return made


app = Celery("reflector", include=TASKS)


@app.on_configure.connect
def _configure(sender: Celery, **_: Any) -> None:
    sender.config_from_object(config_of(harness().settings))


def registered(name: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Register a function as the task of this name, `reflector.` in front."""
    made: Callable[[Callable[..., Any]], Any] = app.task(name=PREFIX + name, **options)
    return made

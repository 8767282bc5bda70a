"""Celery apps that send messages or ask workers; the apps of workers of our own are their own."""

from __future__ import annotations

from typing import Any

from celery import Celery


def broker_app(url: str, config: dict[str, Any]) -> Celery:
    """An app over a broker, current nowhere; as a context it is closed at the block's end."""
    app = Celery("reflector_migrate", broker=url, set_as_current=False)
    app.conf.update(config)
    return app

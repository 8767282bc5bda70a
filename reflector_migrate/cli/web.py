"""The web view: reports, health, version and metrics, read only; and the page to adjudicate."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import Route

from reflector_migrate.cli.adjudicate_page import PATH, AdjudicationPage
from reflector_migrate.errors import MigrateError
from reflector_migrate.settings import Settings

NAME = re.compile(r"shadow-\d{4}-\d{2}-\d{2}\.html")
HOSTS = ("127.0.0.1", "localhost")
"""Host headers that are answered: a web page that rebinds its own name to loopback is not."""

SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def build(settings: Settings, token: str | None = None) -> Starlette:
    """An ASGI app over the reports' folder and the store; every route but one is GET.

    `token` opens the page to adjudicate; without it one is drawn, and that page stays shut.
    """
    view = _View(settings)
    page = AdjudicationPage(settings, token or secrets.token_urlsafe())
    return Starlette(
        routes=[
            Route("/", view.index),
            Route("/reports/{name}", view.report),
            Route("/healthz", view.healthz),
            Route("/readyz", view.readyz),
            Route("/version", view.version),
            Route("/metrics", view.metrics),
            Route(PATH, page.answer, methods=["GET", "POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))],
    )


class _View:
    """The routes; each reads, none writes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder: Path = settings.state_dir / "reports"

    def index(self, _request: Request) -> Response:
        names = sorted((p.name for p in self._folder.glob("shadow-*.html")), reverse=True)
        links = "".join(f'<li><a href="/reports/{escape(n)}">{escape(n)}</a></li>' for n in names)
        body = links or "<li>none yet: migrate report</li>"
        page = (
            f'<!doctype html><html lang="en"><title>Reports</title><h1>Reports</h1><ul>{body}</ul>'
        )
        return HTMLResponse(page, headers=SAFE)

    def report(self, request: Request) -> Response:
        name = request.path_params["name"]
        path = self._folder / name
        if not NAME.fullmatch(name) or not path.is_file():
            return PlainTextResponse("no such report\n", 404, headers=SAFE)
        return FileResponse(path, media_type="text/html", headers=SAFE)

    def healthz(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def readyz(self, _request: Request) -> Response:
        from reflector_migrate.store.migrate import current, head

        try:
            is_ready = current(self._settings.store_url) == head()
        except MigrateError:
            is_ready = False
        return PlainTextResponse(
            "ok\n" if is_ready else "store not ready\n", 200 if is_ready else 503
        )

    def version(self, _request: Request) -> Response:
        from importlib.metadata import version

        from reflector_migrate.conductor.build import build_hash

        return JSONResponse({"version": version("reflector-migrate"), "build": build_hash()})

    def metrics(self, _request: Request) -> Response:
        try:
            text = _metrics(self._settings)
        except MigrateError as error:
            return PlainTextResponse(f"{error.message}\n", 503)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


def _metrics(settings: Settings) -> str:
    """Counts by verdict and outcome; no recording ids or host names as labels."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    from reflector_migrate.store.evidence import Evidence
    from reflector_migrate.store.runs import Runs

    registry = CollectorRegistry()
    pairs: Any = Gauge("shadow_pairs_total", "Comparisons stored", ["verdict"], registry=registry)
    totals: Counter[str] = Counter()
    for _night, verdict, number in Evidence(settings.store_url).nights():
        totals[verdict] += number
    for verdict, number in totals.items():
        pairs.labels(verdict).set(number)
    flight: Any = Gauge("shadow_in_flight", "Workflows in flight", registry=registry)
    flight.set(Runs(settings.store_url).count_in_flight())
    return generate_latest(registry).decode()

"""The web view: reports, health, version and metrics, read only; and the page to adjudicate."""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path

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
from reflector_migrate.cli.metrics import metrics_of
from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness

NAME = re.compile(r"shadow-\d{4}-\d{2}-\d{2}\.html")
HOSTS = ("127.0.0.1", "localhost")
"""Host headers that are answered: a web page that rebinds its own name to loopback is not."""

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:2em auto;padding:0 1em;"
    "color-scheme:light dark}td,th{text-align:left;padding:2px 1.5em 2px 0;font-weight:400}"
)
_STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{_STYLE_HASH}'"
)
TITLE = re.compile(rb"<title>[^<:]*: ([^<]{1,40})</title>")
HEAD_BYTES = 4096

SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def build(harness: Harness, token: str | None = None) -> Starlette:
    """An ASGI app over the reports' folder and the store; every route but one is GET.

    `token` opens the page to adjudicate; without it one is drawn, and that page stays shut.
    """
    view = _View(harness)
    page = AdjudicationPage(harness, token or secrets.token_urlsafe())
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

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._folder: Path = harness.settings.state_dir / "reports"

    def index(self, _request: Request) -> Response:
        names = sorted((p.name for p in self._folder.glob("shadow-*.html")), reverse=True)
        rows = "".join(
            f'<tr><th scope="row"><a href="/reports/{escape(name)}">{escape(name[7:17])}</a></th>'
            f"<td>{escape(_verdict_in(self._folder / name))}</td></tr>"
            for name in names
        )
        body = f"<table><tbody>{rows}</tbody></table>" if rows else "<p>None yet.</p>"
        where = "sandbox: " if self._harness.settings.is_sandbox else ""
        page = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{where}Reports</title>'
            f"<style>{STYLE}</style><h1>{where}Nightly reports</h1>{body}"
            '<p><a href="/metrics">metrics</a> <a href="/version">version</a></p>'
        )
        return HTMLResponse(page, headers={**SAFE, "Content-Security-Policy": POLICY})

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
            is_ready = current(self._harness.settings.store_url) == head()
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
            text = metrics_of(self._harness)
        except MigrateError as error:
            return PlainTextResponse(f"{error.message}\n", 503)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


def _verdict_in(page: Path) -> str:
    """The verdict in a page's title; empty where there is none."""
    with page.open("rb") as file:
        found = TITLE.search(file.read(HEAD_BYTES))
    return found[1].decode("utf-8", "replace") if found else ""

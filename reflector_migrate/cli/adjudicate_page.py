"""The same adjudication as a page of `migrate serve`: the one place where it takes a POST.

The page shows words of transcripts, so it is not read only by who can reach loopback: the token
of this process is needed to look and to choose.
"""

from __future__ import annotations

import secrets
from typing import get_args
from urllib.parse import parse_qs, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from reflector_migrate.cli.adjudicate import result_lines
from reflector_migrate.cutover.adjudication import Desk, reader
from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.adjudication import Key, Text, blinded
from reports.adjudication import Asked, render_question

PATH = "/adjudicate"
LONGEST_BODY_BYTES = 4096
HEADERS = {
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store", "X-Frame-Options": "DENY",
}  # fmt: skip


class AdjudicationPage:
    """Shows a reader's next question, and records the answer."""

    def __init__(self, harness: Harness, token: str) -> None:
        """Answer only requests that bear the token."""
        self._harness, self._token = harness, token
        self._secret = secrets.token_bytes(16)
        self._desks: dict[Text, Desk] = {}

    async def answer(self, request: Request) -> Response:
        """GET shows, POST records and goes on to the next; all else is refused."""
        if request.method == "POST":
            return await self._posted(request)
        asked = {name: request.query_params.get(name, "") for name in ("token", "who", "text")}
        if not self._is_known(asked["token"]):
            return _refused("open the address that `migrate serve` printed", 403)
        return await run_in_threadpool(self._page, asked["who"], asked["text"])

    async def _posted(self, request: Request) -> Response:
        """The answer to one question; from this page alone."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST_BODY_BYTES:
                return _refused("too long for an answer", 413)
        fields = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        origin = request.headers.get("origin")
        is_ours = origin in (None, "null", f"http://{request.headers.get('host')}")
        if not (is_ours and self._is_known(fields.get("token", ""))):
            return _refused("open the address that `migrate serve` printed", 403)
        return await run_in_threadpool(self._record, fields)

    def _is_known(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(), self._token.encode())

    def _page(self, who: str, text: str) -> Response:
        if text not in get_args(Text) or not who.strip():
            return _page(Asked(self._token, get_args(Text)))
        try:
            name, desk = reader(who), self._desk(text)
            hunks = desk.open_to(name)
            if not hunks:
                self._desks.pop(desk.text, None)  # what is compared later is read the next time
                result = result_lines(desk, desk.outcome())
                return _page(Asked(self._token, (), name, text, result=result))
        except MigrateError as error:
            return _refused(error.message, 400)
        blind = blinded(hunks[0], self._secret, name)
        return _page(
            Asked(
                self._token, (), name, text, blind.hunk.digest, blind.hunk.head, len(hunks),
                blind.texts,
            )
        )  # fmt: skip

    def _record(self, fields: dict[str, str]) -> Response:
        text, key = fields.get("text", ""), fields.get("choice", "")
        if text not in get_args(Text) or key not in get_args(Key):
            return _refused("not an answer of this page", 400)
        try:
            name, desk = reader(fields.get("who", "")), self._desk(text)
            shown = {hunk.digest: hunk for hunk in desk.hunks}.get(fields.get("shown", ""))
            if shown is None:
                return _refused("not a question of this page", 400)
            desk.record(shown, name, blinded(shown, self._secret, name).choice(_key(key)))
        except MigrateError as error:
            return _refused(error.message, 400)
        query = urlencode({"token": self._token, "who": name, "text": text})
        return RedirectResponse(f"{PATH}?{query}", 303, headers=HEADERS)

    def _desk(self, text: str) -> Desk:
        known = next(name for name in get_args(Text) if name == text)
        return self._desks.setdefault(known, Desk(self._harness, known))


def _key(text: str) -> Key:
    return next(key for key in get_args(Key) if key == text)


def _page(asked: Asked) -> Response:
    return HTMLResponse(render_question(asked), headers=HEADERS)


def _refused(why: str, status: int) -> Response:
    return PlainTextResponse(f"{why}\n", status, headers=HEADERS)

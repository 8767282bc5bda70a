"""What is known of the request in hand, and the middleware that records every one."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY = "reflector_migrate.standin"
SERVICES = ("daily", "recogniser", "llm", "zulip", "webhook")
MAX_REQUESTS = 20_000
MAX_BYTES = 64 * 1024 * 1024
BODY_BYTES = 64 * 1024
WHOLE_BODY = {"zulip", "webhook"}  # these are evidence: what was sent must be there to the byte
SECRET_HEADERS = {"authorization", "cookie", "x-api-key", "proxy-authorization"}
SIGNATURE = re.compile(r"((?:X-Amz-)?(?:Signature|Credential)=)[^&\"\\\s]+", re.IGNORECASE)


@dataclass(slots=True)
class Entry:
    """One recorded request; `status` stays None until it was answered, 0 means reset."""

    n: int
    time: float
    service: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    size_bytes: int = 0
    status: int | None = None
    duration_s: float | None = None
    purpose: str = ""
    fault: str = ""

    def as_json(self) -> dict[str, Any]:
        """The entry for a reader: text body, presigned signatures blotted out."""
        text = bytes(self.body).decode("utf-8", "replace")
        if self.service not in WHOLE_BODY:
            text = SIGNATURE.sub(r"\1[redacted]", text)
        facts = {name: getattr(self, name) for name in self.__slots__ if name != "body"}
        return facts | {"body": text, "is_truncated": len(self.body) < self.size_bytes}


class Recorder:
    """The last requests, bounded by count and by bytes; the oldest go first."""

    def __init__(self, max_requests: int = MAX_REQUESTS, max_bytes: int = MAX_BYTES) -> None:
        self._entries: deque[Entry] = deque()
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._bytes = 0
        self._next = 1

    def open(self, scope: Scope, service: str) -> Entry:
        """Record an arriving request at once, so that a hung one can be seen too."""
        entry = Entry(
            n=self._next,
            time=time.time(),
            service=service,
            method=scope["method"],
            path=scope["path"],
            query=SIGNATURE.sub(r"\1[redacted]", scope["query_string"].decode("latin-1")),
            headers=dict(safe_headers(scope)),
        )
        self._next += 1
        self._entries.append(entry)
        self._trim()
        return entry

    def take(self, entry: Entry, chunk: bytes) -> None:
        """Keep a piece of the body, up to the bound of its service."""
        entry.size_bytes += len(chunk)
        room = len(chunk) if entry.service in WHOLE_BODY else BODY_BYTES - len(entry.body)
        kept = chunk[: max(room, 0)]
        entry.body += kept
        self._bytes += len(kept)
        self._trim()

    def entries(self, service: str = "", since: int = 0) -> list[Entry]:
        """The entries of one service (or all) with a number above `since`, oldest first."""
        return [e for e in self._entries if e.n > since and service in {"", e.service}]

    def reset(self) -> None:
        """Forget every request; numbering goes on."""
        self._entries.clear()
        self._bytes = 0

    def _trim(self) -> None:
        while len(self._entries) > self._max_requests or (
            self._bytes > self._max_bytes and len(self._entries) > 1
        ):
            self._bytes -= len(self._entries.popleft().body)


@dataclass(slots=True)
class Exchange:
    """A request's entry, and the means to break its connection."""

    entry: Entry
    transport: Any = None
    is_answer_lost: bool = False

    def reset_connection(self) -> None:
        """Send a TCP RST in place of an answer."""
        self.entry.status = 0
        if self.transport is None:
            raise ConnectionResetError("no transport to reset")
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def exchange_of(scope: MutableMapping[str, Any]) -> Exchange | None:
    """The exchange the middleware left in this scope, if it ran."""
    found = scope.get(KEY)
    return found if isinstance(found, Exchange) else None


def service_of(path: str) -> str:
    """The service a path belongs to, empty for the control endpoint."""
    first = path.lstrip("/").split("/", 1)[0]
    return first if first in SERVICES else ""


class RecordingMiddleware:
    """Records every request to a service, with its answer's status."""

    def __init__(self, app: ASGIApp, recorder: Recorder) -> None:
        self._app = app
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, listening in both directions."""
        service = service_of(scope["path"]) if scope["type"] == "http" else ""
        if not service:
            await self._app(scope, receive, send)
            return
        entry = self._recorder.open(scope, service)
        # uvicorn hands over a bound method; its owner holds the socket
        owner = getattr(receive, "__self__", None)
        exchange = Exchange(entry, getattr(owner, "transport", None))
        scope[KEY] = exchange
        began = time.monotonic()
        try:
            await self._app(scope, self._listen(entry, receive), _answer(exchange, send))
        finally:
            entry.duration_s = round(time.monotonic() - began, 6)

    def _listen(self, entry: Entry, receive: Receive) -> Receive:
        async def listening() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self._recorder.take(entry, message.get("body", b""))
            return message

        return listening


def _answer(exchange: Exchange, send: Send) -> Send:
    async def answering(message: Message) -> None:
        if exchange.entry.status == 0:
            return
        if message["type"] == "http.response.start":
            if exchange.is_answer_lost:
                exchange.reset_connection()
                await asyncio.sleep(0)  # let the server notice that the connection is gone
                return
            exchange.entry.status = message["status"]
        await send(message)

    return answering


def safe_headers(scope: MutableMapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The request's headers, names in lower case, secrets blotted out."""
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        yield name, "[redacted]" if name in SECRET_HEADERS else raw_value.decode("latin-1")

"""Faults and noise that a test switches on, per service.

Kinds: `http_500`, `http_4xx` (another code by `status`), `timeout` (silent until
the client goes, or for `latency_s`), `slow` (`latency_s`, then the true answer),
`empty`, `malformed_json` (of the language model: a sound envelope around broken
JSON), `malformed_body` (the envelope itself is broken), `connection_reset`, and
`lost_answer` (the work is done, the connection is reset instead of an answer).
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from reflector_migrate.sandbox.standins.exchange import exchange_of

Service = Literal["llm", "recogniser", "daily", "zulip", "webhook"]
Kind = Literal[
    "http_500",
    "http_4xx",
    "timeout",
    "malformed_json",
    "malformed_body",
    "empty",
    "slow",
    "connection_reset",
    "lost_answer",
]
HANG_S = 3600.0
SLOW_S = 2.0


class Fault(BaseModel):
    """One switch: after `after` matching requests, break `times` of them (None: all)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: Service
    kind: Kind
    times: int | None = Field(default=None, ge=0)
    after: int = Field(default=0, ge=0)
    match: str = ""
    latency_s: float | None = Field(default=None, ge=0)
    status: int | None = Field(default=None, ge=400, le=599)


@dataclass(slots=True)
class Rule:
    """A fault and how often it was met and applied."""

    fault: Fault
    seen: int = 0
    fired: int = 0

    def meet(self, haystack: str) -> bool:
        """Count a request; True when this fault must break it."""
        if self.fault.match not in haystack:
            return False
        self.seen += 1
        return self.seen > self.fault.after and not self.is_spent

    @property
    def is_spent(self) -> bool:
        """Whether it was applied as often as was asked."""
        return self.fault.times is not None and self.fired >= self.fault.times

    def as_json(self) -> dict[str, Any]:
        """The switch with its counters."""
        return self.fault.model_dump() | {"seen": self.seen, "fired": self.fired}


class Faults:
    """Every switch of every service; each service asks before it answers."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._noise: dict[str, dict[str, Any]] = {}

    def put(self, fault: Fault) -> None:
        """Add a switch; one of the same service, kind and match is replaced."""
        same = (fault.service, fault.kind, fault.match)
        kept = [r for r in self._rules if (r.fault.service, r.fault.kind, r.fault.match) != same]
        self._rules = [*kept, Rule(fault)]

    def clear(self, service: str = "") -> None:
        """Remove the switches of one service, or all."""
        self._rules = [r for r in self._rules if service and r.fault.service != service]

    def rules(self) -> list[dict[str, Any]]:
        """Every switch with its counters."""
        return [rule.as_json() for rule in self._rules]

    def set_noise(self, service: str, noise: dict[str, Any]) -> None:
        """Replace a service's noise; an empty dict switches it off."""
        self._noise[service] = dict(noise)

    def clear_noise(self, service: str = "") -> None:
        """Switch off one service's noise, or all."""
        self._noise = {s: n for s, n in self._noise.items() if service and s != service}

    def noises(self) -> dict[str, dict[str, Any]]:
        """Every service's noise as it was set."""
        return {service: dict(noise) for service, noise in self._noise.items()}

    def noise(self, service: str) -> dict[str, Any]:
        """A service's noise, without `latency_s`: `apply` alone spends that."""
        noise = self._noise.get(service, {})
        return {name: value for name, value in noise.items() if name != "latency_s"}

    async def apply(self, service: str, request: Request, detail: str = "") -> Response | None:
        """Answer in the service's place when a fault is due; None lets it answer itself."""
        haystack = await _haystack(request, detail)
        due = [r for r in self._rules if r.fault.service == service and r.meet(haystack)]
        await asyncio.sleep(float(self._noise.get(service, {}).get("latency_s", 0)))
        if not due:
            return None
        due[0].fired += 1
        return await _break(due[0].fault, request)


async def _haystack(request: Request, detail: str) -> str:
    try:
        body = (await request.body()).decode("utf-8", "replace")
    except ClientDisconnect:
        body = ""
    return "\n".join([request.url.path, request.url.query, body, detail])


async def _break(fault: Fault, request: Request) -> Response | None:
    exchange = exchange_of(request.scope)
    if exchange is not None:
        exchange.entry.fault = fault.kind
    match fault.kind:
        case "slow":
            await asyncio.sleep(SLOW_S if fault.latency_s is None else fault.latency_s)
            return None
        case "timeout":
            await _hang(request, HANG_S if fault.latency_s is None else fault.latency_s)
            return Response("stand-in: timed out", status_code=504)
        case "connection_reset":
            return await _reset(request)
        case "lost_answer":
            if exchange is not None:
                exchange.is_answer_lost = True
            return None
        case _:
            await asyncio.sleep(fault.latency_s or 0)
            return _broken_answer(fault)


async def _hang(request: Request, seconds: float) -> None:
    """Stay silent until the client has gone or the time is over."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def _reset(request: Request) -> Response:
    exchange = exchange_of(request.scope)
    if exchange is None:
        raise ConnectionResetError("stand-in: connection reset")
    exchange.reset_connection()
    await asyncio.sleep(0)  # let the server notice that the connection is gone
    return Response(status_code=502)


def _broken_answer(fault: Fault) -> Response:
    if fault.kind in {"http_500", "http_4xx"}:
        status = fault.status or (500 if fault.kind == "http_500" else 400)
        return _json({"error": "stand-in fault", "status": status}, status)
    if fault.kind == "malformed_body":
        return Response('{"unfinished": [{"', media_type="application/json")
    if fault.service == "llm":
        return _json(_completion("" if fault.kind == "empty" else '{"title": "Unfini'))
    if fault.kind == "malformed_json":
        return Response('{"unfinished": [{"', media_type="application/json")
    if fault.service == "recogniser":
        return _json({"text": "", "words": []})
    return _json({}) if fault.service == "daily" else Response(b"")


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content), status_code=status, media_type="application/json")


def _completion(content: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {
        "id": "chatcmpl-fault",
        "object": "chat.completion",
        "created": 0,
        "model": "stand-in",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }

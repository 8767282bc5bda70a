"""A customer's webhook receiver: keeps what it got, to the byte, and judges nothing."""

from __future__ import annotations

import base64
import time
from collections import deque
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reflector_migrate.sandbox.standins.exchange import exchange_of, safe_headers
from reflector_migrate.sandbox.standins.faults import Faults

MAX_DELIVERIES = 5_000


class WebhookDeliveries:
    """Every delivery, in order of arrival, and the status that each path answers."""

    def __init__(self) -> None:
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=MAX_DELIVERIES)
        self._statuses: dict[str, tuple[int, int | None]] = {}

    def set_status(self, path: str, status: int, times: int | None = None) -> None:
        """Answer `path` with `status`, `times` times (None: from now on), then 200 again."""
        self._statuses[path] = (status, times)

    def next_status(self, path: str) -> int:
        """The status for the delivery in hand; counts down."""
        status, left = self._statuses.get(path, (200, None))
        if left is None:
            return status
        if left <= 0:
            return 200
        self._statuses[path] = (status, left - 1)
        return status

    def keep(self, request: Request, body: bytes) -> dict[str, Any]:
        """Record a delivery; its status is filled in once it is known."""
        delivery: dict[str, Any] = {
            "time": time.time(),
            "path": request.path_params["path"],
            "headers": dict(safe_headers(request.scope)),
            "body": body.decode("utf-8", "replace"),
            "body_base64": base64.b64encode(body).decode(),
            "status": None,
        }
        self.deliveries.append(delivery)
        return delivery

    def reset(self) -> None:
        """Forget every delivery and every status."""
        self.deliveries.clear()
        self._statuses.clear()


def build_webhook(kept: WebhookDeliveries, faults: Faults) -> Starlette:
    """The application to mount at `/webhook`."""

    async def receive(request: Request) -> Response:
        delivery = kept.keep(request, await request.body())
        fault = await faults.apply("webhook", request)
        if fault is None:
            status = kept.next_status(delivery["path"])
            fault = JSONResponse({"received": status < 400}, status_code=status)
        exchange = exchange_of(request.scope)
        was_reset = exchange is not None and exchange.entry.status == 0
        delivery["status"] = 0 if was_reset else fault.status_code
        return fault

    return Starlette(routes=[Route("/{path:path}", receive, methods=["POST", "PUT"])])

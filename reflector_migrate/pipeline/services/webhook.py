"""The customer's webhook: headers, signature and the one request."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import NamedTuple

from reflector_migrate.pipeline.services.http import Caller

EVENT = "transcript.completed"
USER_AGENT = "Reflector-Webhook/1.0"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request as it goes out; `digest` covers the payload but for its clock."""

    url: str
    headers: dict[str, str]
    body: bytes
    event_id: str
    digest: str


class Told(NamedTuple):
    """What a receiver may have heard: the payload's digest, the event's id (none of old runs)."""

    digest: str
    event_id: str | None


def is_taken(status: int) -> bool:
    """Whether the receiver has the event now."""
    return 200 <= status < 300


class Webhook:
    """Sends once; the caller decides about another attempt."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def send(self, delivery: Delivery) -> int:
        """The receiver's status, 2xx or 4xx; TransientStepError for anything else.

        Any 4xx is final, "too many" and "try later" too: legacy gives up at each of them.
        """
        response = self._caller.answer(
            "POST", delivery.url, content=delivery.body, headers=delivery.headers
        )
        return response.status_code


def headers_for(body: bytes, *, attempt: int, unix_s: int, secret: str | None) -> dict[str, str]:
    """The headers of attempt `attempt` (0 is the first); signed when there is a secret."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Webhook-Event": EVENT,
        "X-Webhook-Retry": str(attempt),
    }
    if secret:
        headers["X-Webhook-Signature"] = f"t={unix_s},v1={signature(body, unix_s, secret)}"
    return headers


def signature(body: bytes, unix_s: int, secret: str) -> str:
    """Hex HMAC-SHA256 over `<unix seconds>.<raw body>`."""
    return hmac.new(secret.encode(), f"{unix_s}.".encode() + body, hashlib.sha256).hexdigest()

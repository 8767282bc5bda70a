"""One HTTP request, judged: an answer, a failure worth a retry, or a hopeless one."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import stamina

from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.pipeline.meter import UsageMeter

RETRYABLE_4XX = frozenset({408, 409, 425, 429})
BACKOFF_S = 0.5
CONNECT_S = 10.0
MAX_ANSWER_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Caller:
    """Sends requests to one service; errors name it, and never show its URL."""

    service: str
    http: httpx.Client
    meter: UsageMeter
    timeout_s: float
    attempts: int = 1

    def send(self, method: str, url: str, **request: Any) -> httpx.Response:
        """A 2xx answer, after at most `attempts` tries with growing pauses.

        Raises TransientStepError (5xx, 408, 409, 425, 429, 3xx, timeout, no connection) or
        TerminalStepError (any other 4xx, or a URL that is none).
        """
        for attempt in stamina.retry_context(
            on=TransientStepError, attempts=self.attempts, timeout=None,
            wait_initial=BACKOFF_S, wait_max=math.inf, wait_jitter=0,
        ):  # fmt: skip
            with attempt:
                if attempt.num > 1:
                    self.meter.add(retries=1)
                return self._judged(self._once(method, url, **request))
        raise AssertionError("the last attempt returns or raises")

    def answer(self, method: str, url: str, **request: Any) -> httpx.Response:
        """Whatever the service answers, any 4xx included, in one try.

        Raises TransientStepError when there is no 2xx and no 4xx.
        """
        response = self._once(method, url, **request)
        if response.is_success or response.is_client_error:
            return response
        raise TransientStepError(f"{self.service} answered HTTP {response.status_code}")

    def _once(self, method: str, url: str, **request: Any) -> httpx.Response:
        self.meter.add(external_calls=1)
        timeout = httpx.Timeout(self.timeout_s, connect=min(self.timeout_s, CONNECT_S))
        deadline_s = time.monotonic() + self.timeout_s
        try:
            with self.http.stream(method, url, timeout=timeout, **request) as response:
                body = b"".join(self._bounded(response.iter_bytes(), deadline_s))
                return httpx.Response(response.status_code, content=body)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise TerminalStepError(f"{self.service}: its address is not a URL") from None
        except httpx.TimeoutException:
            raise TransientStepError(
                f"{self.service} did not answer within {self.timeout_s:g} s"
            ) from None
        except httpx.HTTPError as error:
            raise TransientStepError(f"{self.service}: {type(error).__name__}") from None

    def _bounded(self, chunks: Iterator[bytes], deadline_s: float) -> Iterator[bytes]:
        """An answer that drips or never ends must not hold a worker for ever."""
        size_bytes = 0
        for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > MAX_ANSWER_BYTES:
                raise TerminalStepError(f"{self.service} answered more than can be an answer")
            if time.monotonic() > deadline_s:
                raise TransientStepError(f"{self.service} did not end within {self.timeout_s:g} s")
            yield chunk

    def _judged(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        message = f"{self.service} answered HTTP {response.status_code}"
        if self._is_passing(response.status_code):
            raise TransientStepError(message)
        raise TerminalStepError(message)

    @staticmethod
    def _is_passing(status: int) -> bool:
        is_hopeless = 400 <= status < 500 and status not in RETRYABLE_4XX
        return not is_hopeless and not 200 <= status < 300


def json_of(response: httpx.Response, service: str) -> Any:
    """The JSON body; TransientStepError when it is none, since the next answer may be."""
    try:
        return response.json()
    except (ValueError, UnicodeDecodeError):
        raise TransientStepError(f"{service} answered something that is not JSON") from None


def bearer(secret: Any) -> dict[str, str]:
    """The Authorization header for a key, or none."""
    return {"Authorization": f"Bearer {secret.get_secret_value()}"} if secret else {}

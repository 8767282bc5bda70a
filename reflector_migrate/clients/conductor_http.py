"""HTTP to Conductor's REST API: timeouts, the auth header, bounded retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import stamina

from reflector_migrate.clients.connections import trusted_hosts
from reflector_migrate.errors import MigrateError, RefusedError, ServerUnreachableError
from reflector_migrate.settings import ConductorSettings, without_user

AGAIN = stamina.RetryingCaller(
    attempts=3, timeout=None, wait_initial=0.2, wait_exp_base=4, wait_jitter=0
)
IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
MESSAGE_CHARS = 400


class NotFoundError(MigrateError):
    """The server answered, and does not have it."""

    code = "not_found"


class UnknownOutcomeError(ServerUnreachableError):
    """The request may or may not have been carried out; look before asking again."""

    code = "unknown_outcome"


class ConductorHttp:
    """Sends requests; a failure is one of our errors and never shows headers."""

    def __init__(self, settings: ConductorSettings) -> None:
        """Open no connection yet; base address is the API's, as `http://host:8080/api`."""
        self._base = settings.server_url.rstrip("/")
        timeout = httpx.Timeout(settings.request_timeout_s, connect=settings.connect_timeout_s)
        self._http = httpx.Client(
            timeout=timeout, headers=auth_headers(settings), verify=trusted_hosts()
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """JSON at `path`; NotFoundError where there is none."""
        return self.send("GET", path, params=params)

    def put(self, path: str, body: Any = None, **params: Any) -> Any:
        """Replace what is at `path`."""
        return self.send("PUT", path, body=body, params=params)

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """Ask for something that is not safe to ask twice."""
        return self.send("POST", path, body=body, params=params)

    def delete(self, path: str, **params: Any) -> Any:
        """Remove what is at `path`."""
        return self.send("DELETE", path, params=params)

    def send(
        self, method: str, path: str, *, body: Any = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Decoded answer (JSON, else text, else None).

        Raises NotFoundError (404), RefusedError (other 4xx), UnknownOutcomeError
        (sent, not answered), ServerUnreachableError (not sent, or 5xx).
        """

        def may_repeat(error: Exception) -> bool:
            is_known = method in IDEMPOTENT or not isinstance(error, UnknownOutcomeError)
            return isinstance(error, ServerUnreachableError) and is_known

        return AGAIN(may_repeat, self._once, method, path, body, params or {})

    def _once(self, method: str, path: str, body: Any, params: Mapping[str, Any]) -> Any:
        url = f"{self._base}{path}"
        try:
            response = self._http.request(method, url, json=body, params=_plain(params))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ServerUnreachableError(
                f"Conductor does not answer at {without_user(self._base)}: {error}",
                hint="is the server up where conductor.server_url says? `migrate doctor` asks all",
            ) from None
        except httpx.HTTPError as error:
            raise UnknownOutcomeError(f"{method} {path}: {type(error).__name__}") from None
        return _decoded(response, f"{method} {path}")


def auth_headers(settings: ConductorSettings) -> dict[str, str]:
    """`Name: value` as given, or the value as `Authorization`; empty without one."""
    if settings.auth_header is None:
        return {}
    name, colon, value = settings.auth_header.get_secret_value().partition(":")
    return {name.strip(): value.strip()} if colon else {"Authorization": name.strip()}


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    return {k: str(v).lower() if isinstance(v, bool) else v for k, v in params.items()}


def _decoded(response: httpx.Response, what: str) -> Any:
    if response.is_success:
        if not response.content:
            return None
        kind = response.headers.get("content-type", "")
        return response.json() if "json" in kind else response.text
    message = f"{what}: HTTP {response.status_code}: {_reason(response)}"
    if response.status_code == httpx.codes.NOT_FOUND:
        raise NotFoundError(message)
    if response.is_client_error:
        raise RefusedError(message)
    raise UnknownOutcomeError(message)


def _reason(response: httpx.Response) -> str:
    try:
        message = response.json().get("message")
    except (ValueError, AttributeError):
        message = None
    return str(message or response.text)[:MESSAGE_CHARS]

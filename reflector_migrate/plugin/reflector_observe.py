"""Sees every outside call of a process: service, status, time, sizes, tokens, a digest.

One method is wrapped, `httpx.AsyncClient.send`, which the OpenAI client uses as well. Reflector's
worker calls it through `reflector_shadow`; `reflector_steps` calls it in a child process. It needs
the standard library, and httpx only where httpx is there.

The wrapped method waits for nothing and changes nothing: a call goes out and its answer comes
back as without it, and whatever fails in here is counted and forgotten. A body that streams is
never read; such a call says `unseen`. Calls are collected in memory, within bounds, and go to the
harness with the message that `reflector_shadow` sends at the task's end.

Environment
  MIGRATE_SHADOW_OBSERVE    nothing | usage (default) | bodies; else [shadow] observe of
                            MIGRATE_CONFIG. With bodies, what was asked and answered is collected
                            as well: without headers but the webhook's own, and with no query of
                            an address in it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib
import json
import os
import re
import time
import tomllib
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

MODES = ("nothing", "usage", "bodies")
MAX_CALLS = 2_000  # of one task; a longer meeting's are counted and left out
BODY_BYTES, TASK_BYTES = 256 << 10, 2 << 20  # of bodies as they are sent: a call's, and a task's
COUNTED_BYTES = 8 << 20  # a larger answer is not parsed for its tokens
SERVICES = {
    "/chat/completions": "llm",
    "/audio/transcriptions-from-url": "recogniser",
    "/audio/transcriptions": "recogniser",
}
"""By the end of a call's path."""
ZULIP, DAILY_HOST, WEBHOOK_HEADER = "/api/v1/messages", "api.daily.co", "x-webhook-event"

QUERY = re.compile(rb"(https?://[^\s?\"'<>\\]+)\?[^\s\"'<>\\]*")
WEBHOOK_HEADERS = ("content-type", "user-agent", WEBHOOK_HEADER, "x-webhook-retry")
SIGNATURE = "x-webhook-signature"

counts: Counter[str] = Counter()
Keep = Callable[[dict[str, Any], Any, Any], None]
"""Called after each call with its facts, the request, and the answer or None."""


# what a task's calls are collected in


class Seen:
    """The calls of one task, until it has ended."""

    def __init__(self, mode: str) -> None:
        self.mode, self.calls, self.left_out = mode, list[dict[str, Any]](), 0
        self.body_bytes, self.own_s = 0, 0.0

    def add(self, facts: dict[str, Any], request: Any, answer: Any) -> None:
        """Keep one call; its bodies where the mode and the bounds allow it."""
        if len(self.calls) >= MAX_CALLS:
            self.left_out += 1
            return
        if self.mode == "bodies":
            for name, body in (("asked", body_of(request)), ("answered", body_of(answer))):
                if body and (packed := self._packed(body)):
                    facts[name] = packed
            if facts["service"] == "webhook":
                facts["headers"] = webhook_headers(request.headers)
        self.calls.append(facts)

    def _packed(self, body: bytes) -> str | None:
        packed = base64.b64encode(zlib.compress(redacted(body))).decode()
        if len(packed) > BODY_BYTES or self.body_bytes + len(packed) > TASK_BYTES:
            return None
        self.body_bytes += len(packed)
        return packed


_open: dict[str, Seen] = {}
_current: ContextVar[Seen | None] = ContextVar("reflector_observe", default=None)
_step: ContextVar[tuple[str, int] | None] = ContextVar("reflector_observe_step", default=None)


def mode() -> str:
    """What is collected: the environment's word, else the settings file's, else usage."""
    said = os.environ.get("MIGRATE_SHADOW_OBSERVE") or os.environ.get("MIGRATE_SHADOW__OBSERVE")
    path = os.environ.get("MIGRATE_CONFIG")
    if not said and path:
        said = tomllib.loads(Path(path).read_text("utf-8")).get("shadow", {}).get("observe")
    return said if said in MODES else "usage"


def begin(task_id: str) -> None:
    """A task starts whose calls are to be seen."""
    wanted = mode()
    if wanted == "nothing":
        return
    watch(collect)
    _open[task_id] = seen = Seen(wanted)
    _current.set(seen)


def end(task_id: str) -> Seen | None:
    """The task has ended: its calls, None where none were to be seen."""
    _current.set(None)
    return _open.pop(task_id, None)


@contextmanager
def inside(step: str, number: int) -> Iterator[None]:
    """Calls in here belong to this inner step, with its number among those of its name."""
    token = _step.set((step, number))
    try:
        yield
    finally:
        _step.reset(token)


def collect(facts: dict[str, Any], request: Any, answer: Any) -> None:
    """Keep a call with the task it belongs to: the context's, else the only one that runs."""
    since = time.monotonic()
    seen = _current.get() or (next(iter(_open.values())) if len(_open) == 1 else None)
    if seen is None:
        return
    step = _step.get()
    if step is not None:
        facts["inside"], facts["n"] = step
    seen.add(facts, request, answer)
    seen.own_s += time.monotonic() - since


def redacted(body: bytes) -> bytes:
    """The body with no query in any address: presigned ones are keys."""
    return QUERY.sub(rb"\1", body)


def webhook_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The contract's headers; of the signature its time and a digest."""
    kept = {name: headers[name] for name in WEBHOOK_HEADERS if name in headers}
    signature = headers.get(SIGNATURE)
    if signature:
        signed_at = signature.partition(",")[0]
        kept[SIGNATURE] = f"{signed_at},sha256={hashlib.sha256(signature.encode()).hexdigest()}"
    return kept


# the wrapped method


def watch(keep: Keep) -> bool:
    """Wrap httpx once in this process; False where there is no httpx, or it is wrapped already."""
    try:
        client = importlib.import_module("httpx").AsyncClient
    except ImportError:
        return False
    if hasattr(client.send, "__wrapped__"):
        return False
    client.send = _watched(client.send, keep)
    return True


def _watched(send: Callable[..., Any], keep: Keep) -> Callable[..., Any]:
    @functools.wraps(send)
    async def watched(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        started, since, answer = time.time(), time.monotonic(), None
        error = ""
        try:
            answer = await send(self, request, *args, **kwargs)
            return answer
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            try:
                took_s = time.monotonic() - since
                keep(facts_of(request, answer, error, started, took_s), request, answer)
            except Exception:  # the call is somebody's meeting: it goes on as it was
                counts["errors"] += 1

    return watched


def facts_of(
    request: Any, answer: Any, error: str, started: float, took_s: float
) -> dict[str, Any]:
    """What a call was, without its address, its words or its secrets."""
    asked, answered = body_of(request), body_of(answer)
    facts = {
        "service": service_of(request.url.host, request.url.path, request.headers),
        "method": request.method,
        "status": getattr(answer, "status_code", None),
        "started": started,
        "duration_s": round(took_s, 6),
        "request_bytes": _size(asked),
        "answer_bytes": _size(answered),
        "request_sha256": _digest(asked),
        "answer_sha256": _digest(answered),
    }
    if error:
        facts["error"] = error
    if answer is not None and answered is None:
        facts["unseen"] = True
    return facts | tokens_in(answered)


def service_of(host: str, path: str, headers: Mapping[str, str]) -> str:
    """daily, llm, recogniser, zulip, webhook, or other."""
    if WEBHOOK_HEADER in headers:
        return "webhook"
    if host == DAILY_HOST:
        return "daily"
    if ZULIP in path:
        return "zulip"
    return next((name for end, name in SERVICES.items() if path.endswith(end)), "other")


def body_of(message: Any) -> bytes | None:
    """The whole body of a request or an answer; None where it is not in memory."""
    if message is None:
        return None
    try:
        content = message.content
    except Exception:  # a body that streams: reading it would take it from its reader
        return None
    return content if isinstance(content, bytes) else None


def tokens_in(body: bytes | None) -> dict[str, int]:
    """What a language model says it has read and written; nothing where it does not say."""
    if not body or len(body) > COUNTED_BYTES or b'"usage"' not in body:
        return {}
    try:
        usage = json.loads(body)["usage"]
        return {
            "tokens_in": int(usage["prompt_tokens"]),
            "tokens_out": int(usage["completion_tokens"]),
        }
    except (ValueError, KeyError, TypeError):
        return {}


def _size(body: bytes | None) -> int:
    return len(body) if body is not None else 0


def _digest(body: bytes | None) -> str | None:
    return hashlib.sha256(body).hexdigest() if body is not None else None

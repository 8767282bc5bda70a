"""Sees every outside call of a process: service, status, time, sizes, tokens, a digest.

One method is wrapped, `httpx.AsyncClient.send`, which the OpenAI client uses as well. Reflector's
worker calls it through `reflector_shadow`; `reflector_steps` calls it in a child process. It needs
the standard library, and httpx only where httpx is there.

The wrapped method waits for nothing and changes nothing: a call goes out and its answer comes
back as without it, and whatever fails in here is counted and forgotten. A body that streams is
never read; such a call says `unseen`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

COUNTED_BYTES = 8 << 20  # a larger answer is not parsed for its tokens
SERVICES = {
    "/chat/completions": "llm",
    "/audio/transcriptions-from-url": "recogniser",
    "/audio/transcriptions": "recogniser",
}
"""By the end of a call's path."""
ZULIP, DAILY_HOST, WEBHOOK_HEADER = "/api/v1/messages", "api.daily.co", "x-webhook-event"

counts: Counter[str] = Counter()
Keep = Callable[[dict[str, Any], Any, Any], None]
"""Called after each call with its facts, the request, and the answer or None."""


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

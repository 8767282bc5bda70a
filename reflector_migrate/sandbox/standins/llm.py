"""An OpenAI-compatible language model that answers from the text it is given."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reflector_migrate.sandbox.standins.answer_tape import Kept
from reflector_migrate.sandbox.standins.answers import Answers
from reflector_migrate.sandbox.standins.exchange import exchange_of
from reflector_migrate.sandbox.standins.extract import WORD
from reflector_migrate.sandbox.standins.faults import Faults
from reflector_migrate.sandbox.standins.paraphrase import Voice
from reflector_migrate.sandbox.standins.prompt_parser import Asked, read_request
from reflector_migrate.sandbox.standins.replay import Replay
from reflector_migrate.sandbox.standins.schema_filler import fill

MODEL = "stand-in"
CALLED = "microsoft/phi-4"  # it answers to any name, and to Reflector's default by list
CREATED = 1_700_000_000  # fixed: the same request gives the same bytes
MAX_REMEMBERED = 20_000
SESSION_FIELDS = ("litellm_session_id", "user", "metadata")


class Occurrences:
    """How often each request was seen before; the oldest are forgotten."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()

    def next(self, digest: str) -> int:
        """0 for a request's first time, then 1, 2, ..."""
        count = self._seen.pop(digest, -1) + 1
        self._seen[digest] = count
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return count

    def reset(self) -> None:
        """Every request is new again."""
        self._seen.clear()


def build_llm(
    faults: Faults, replay: Replay, occurrences: Occurrences, kept: Kept | None = None
) -> Starlette:
    """The application to mount at `/llm/v1`."""
    answers = kept or Kept()

    async def chat(request: Request) -> Response:
        try:
            body = _checked(json.loads(await request.body()))
        except ValueError as invalid:
            return await faults.apply("llm", request) or _error(400, str(invalid))
        asked = read_request(body, request.headers.get("x-reflector-purpose", ""))
        exchange = exchange_of(request.scope)
        if exchange is not None:
            exchange.entry.purpose = asked.kind
        fault = await faults.apply("llm", request, detail=f"{asked.purpose} {asked.kind}")
        if fault is not None:
            return fault
        if replay.has_llm:
            reply = replay.reply(_session(body, request), asked.kind, asked.everything)
            if reply is None:
                return _error(500, f"replay: no {asked.kind} answer was recorded for this request")
        else:
            digest = _digest(body)
            if missing := answers.missing("llm", digest, f"{asked.kind} request"):
                return _error(422, missing)
            known = answers.find("llm", digest)
            reply = answer(asked, _voice(body, faults, occurrences)) if known is None else known
            answers.keep("llm", digest, reply)
        return JSONResponse(_completion(body, asked, reply))

    async def models(request: Request) -> Response:
        fault = await faults.apply("llm", request)
        common = {"object": "model", "created": CREATED, "owned_by": MODEL}
        listed = [{"id": name, **common} for name in (MODEL, CALLED)]
        return fault or JSONResponse({"object": "list", "data": listed})

    return Starlette(
        routes=[
            Route("/chat/completions", chat, methods=["POST"]),
            Route("/models", models),
        ]
    )


def answer(asked: Asked, voice: Voice) -> str:
    """The message for a request, worded by `voice`; JSON when JSON was asked for."""
    answers = Answers(asked, voice)
    if asked.schema is not None:
        return json.dumps(fill(asked.schema, answers), ensure_ascii=False)
    if asked.is_json:
        return json.dumps({asked.purpose: answers.as_text()}, ensure_ascii=False)
    return answers.as_text()


def count_tokens(text: str) -> int:
    """A token is a word here; punctuation rides along."""
    return len(WORD.findall(text))


def _checked(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ValueError("messages is missing or empty")
    if not all(isinstance(m, dict) for m in messages):
        raise ValueError("each message must be an object")
    if body.get("stream"):
        raise ValueError("this stand-in does not stream")
    return body


def _voice(body: Mapping[str, Any], faults: Faults, occurrences: Occurrences) -> Voice:
    noise = faults.noise("llm")
    if not noise:
        return Voice()
    digest = _digest(body)
    # two engines send the same request and must still hear two wordings, as of a real model
    nth = 0 if noise.get("vary") == "request" else occurrences.next(digest)
    return Voice(
        rate=float(noise.get("rate", 0.3)),
        salt=f"{noise.get('seed', 0)}:{digest}:{nth}",
        breaks_facts=bool(noise.get("facts", False)),
    )


def _session(body: Mapping[str, Any], request: Request) -> str:
    return str(body.get("litellm_session_id") or request.headers.get("x-reflector-session", ""))


def _digest(body: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in body.items() if name not in SESSION_FIELDS}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _completion(body: Mapping[str, Any], asked: Asked, reply: str) -> dict[str, Any]:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    said = _cut(reply, limit) if isinstance(limit, int) else reply
    tokens_in, tokens_out = count_tokens(asked.everything), count_tokens(said)
    finish = "stop" if said == reply else "length"
    message = {"role": "assistant", "content": said}
    return {
        "id": f"chatcmpl-{_digest(body)[:24]}",
        "object": "chat.completion",
        "created": CREATED,
        "model": str(body.get("model", MODEL)),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
    }


def _cut(reply: str, limit: int) -> str:
    words = list(WORD.finditer(reply))
    return reply if len(words) <= limit else reply[: words[max(limit, 1) - 1].end()]


def _error(status: int, message: str) -> Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return JSONResponse({"error": {"message": message, "type": kind}}, status_code=status)

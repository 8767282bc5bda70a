"""Zulip's message API: post, edit, search and delete, form-encoded, basic auth."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reflector_migrate.sandbox.standins.faults import Faults

Handler = Callable[[Request, str], Awaitable[Response]]
Message = dict[str, Any]
MAX_MESSAGES = 20_000
OPERATORS = {"stream": "display_recipient", "channel": "display_recipient", "topic": "subject"}


class ZulipMessages:
    """Every message posted, by id; edits keep the id and are counted."""

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self._next = 1

    def post(self, sender: str, form: dict[str, str]) -> int:
        """Keep a message; returns its id."""
        number, self._next = self._next, self._next + 1
        self.messages[number] = {
            "id": number,
            "type": form["type"],
            "display_recipient": form["to"],
            "subject": form.get("topic", ""),
            "content": form["content"],
            "sender_email": sender,
            "timestamp": int(time.time()),
            "edits": 0,
        }
        while len(self.messages) > MAX_MESSAGES:
            del self.messages[next(iter(self.messages))]
        return number

    def reset(self) -> None:
        """Forget every message; ids are never given twice."""
        self.messages.clear()


def build_zulip(kept: ZulipMessages, faults: Faults) -> Starlette:
    """The application to mount at `/zulip/api/v1`."""

    async def post(request: Request, sender: str) -> Response:
        form = await _form(request)
        missing = [name for name in ("type", "to", "content") if not form.get(name)]
        if missing:
            return _error(400, f"Missing '{missing[0]}' argument", "REQUEST_VARIABLE_MISSING")
        return _success(id=kept.post(sender, form))

    async def edit(request: Request, sender: str) -> Response:
        message = kept.messages.get(request.path_params["id"])
        if message is None or message["sender_email"] != sender:
            return _error(400, "Invalid message(s)", "BAD_REQUEST")
        form = await _form(request)
        message["content"] = form.get("content", message["content"])
        message["subject"] = form.get("topic", message["subject"])
        message["edits"] += 1
        message["last_edit_timestamp"] = int(time.time())
        return _success()

    async def one(request: Request, _sender: str) -> Response:
        message = kept.messages.get(request.path_params["id"])
        if message is None:
            return _error(400, "Invalid message(s)", "BAD_REQUEST")
        return _success(message=message, raw_content=message["content"])

    async def search(request: Request, _sender: str) -> Response:
        try:
            narrow = json.loads(request.query_params.get("narrow", "[]"))
            found = [m for m in kept.messages.values() if all(_fits(m, term) for term in narrow)]
        except (ValueError, TypeError, KeyError):
            return _error(400, "Invalid narrow", "BAD_NARROW")
        return _success(messages=found, found_newest=True, found_oldest=True)

    async def delete(request: Request, _sender: str) -> Response:
        if kept.messages.pop(request.path_params["id"], None) is None:
            return _error(400, "Invalid message(s)", "BAD_REQUEST")
        return _success()

    whole = {"POST": post, "GET": search}
    single = {"PATCH": edit, "GET": one, "DELETE": delete}
    return Starlette(
        routes=[
            Route(path, _guarded(handler, faults), methods=[method])
            for path, handlers in (("/messages", whole), ("/messages/{id:int}", single))
            for method, handler in handlers.items()
        ]
    )


def _guarded(handler: Handler, faults: Faults) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        fault = await faults.apply("zulip", request)
        if fault is not None:
            return fault
        sender = _sender(request.headers.get("authorization", ""))
        if sender is None:
            return _error(401, "Missing authorization header for basic auth", "UNAUTHORIZED")
        return await handler(request, sender)

    return guarded


def _sender(authorization: str) -> str | None:
    """The bot's address of a basic-auth header, None when there is none."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, key = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user if user and colon and key else None


async def _form(request: Request) -> dict[str, str]:
    raw = (await request.body()).decode("utf-8", "replace")
    return {name: values[-1] for name, values in parse_qs(raw, keep_blank_values=True).items()}


def _fits(message: Message, term: dict[str, Any] | list[Any]) -> bool:
    """Whether a message fits a narrow's term; an unknown operator is an error."""
    if isinstance(term, list):
        term = {"operator": term[0], "operand": term[1]}
    wanted = str(term["operand"])
    if term["operator"] == "search":
        text = f"{message['subject']}\n{message['content']}".lower()
        fits = all(word in text for word in wanted.replace('"', "").lower().split())
    elif term["operator"] == "sender":
        fits = message["sender_email"] == wanted
    else:
        fits = message[OPERATORS[term["operator"]]] == wanted
    return fits != bool(term.get("negated"))


def _success(**facts: Any) -> Response:
    return JSONResponse({"result": "success", "msg": "", **facts})


def _error(status: int, message: str, code: str) -> Response:
    return JSONResponse({"result": "error", "msg": message, "code": code}, status_code=status)

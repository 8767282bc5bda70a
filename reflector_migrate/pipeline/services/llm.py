"""An OpenAI-compatible language model: one chat completion at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.services.http import Caller, bearer, json_of
from reflector_migrate.settings import ServicesSettings

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """A chat request; `purpose` says to proxies and stand-ins what it is for."""

    purpose: str
    messages: Sequence[Message]
    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's text, and what it cost."""

    text: str
    usage: Usage


class LanguageModel:
    """`session_id` goes along with every call, so that a proxy knows whose it is."""

    def __init__(self, caller: Caller, settings: ServicesSettings, session_id: str) -> None:
        self._caller, self.base = caller, settings.llm_url
        self._headers = bearer(settings.llm_api_key)
        self.model, self._session_id = settings.llm_model, session_id

    def complete(self, request: Request) -> Reply:
        """One answer, possibly empty. Raises Transient- or TerminalStepError."""
        if not self.base:
            raise TerminalStepError("services.llm_url is not set")
        response = self._caller.send(
            "POST",
            f"{self.base.rstrip('/')}/chat/completions",
            json=self._body(request),
            headers=self._headers | {"X-Reflector-Purpose": request.purpose},
        )
        answer = json_of(response, "language model")
        reply = Reply(_text(answer), _usage(answer))
        self._caller.meter.add(**reply.usage.model_dump())
        return reply

    def _body(self, request: Request) -> dict[str, Any]:
        return {
            "model": self.model,
            "messages": list(request.messages),
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "stream": False,
            "litellm_session_id": self._session_id,
        }


def _text(answer: Any) -> str:
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        raise TransientStepError(
            "language model (services.llm_url) answered without a message"
        ) from None
    if content is None:
        return ""
    if not isinstance(content, str):
        raise TransientStepError("language model (services.llm_url) answered without text")
    return storable(content)


def storable(text: str) -> str:
    """The text without what no database can hold (NUL, halves of surrogate pairs)."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _usage(answer: Any) -> Usage:
    """What the server says that it used; partial where it does not say so: unknown, never 0."""
    told = answer.get("usage") if isinstance(answer, dict) else None
    counts = told if isinstance(told, dict) else {}
    given = _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens"))
    tokens = given[0] or 0, given[1] or 0
    return Usage(
        llm_calls=1,
        llm_tokens_in=tokens[0],
        llm_tokens_out=tokens[1],
        llm_tokens_per_call=(tokens,),
        is_partial=None in given,
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None

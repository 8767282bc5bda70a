"""Asks the language model: in prose, or for a structure, whatever the length of the text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from reflector_migrate.errors import TransientStepError
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.cache import AnswerCache, Costed
from reflector_migrate.pipeline.prompts import AGAIN, COMBINE, FORMAT, PROMPT_VERSION, SYSTEM, Ask
from reflector_migrate.pipeline.services.llm import LanguageModel, Message, Request

QUOTED_CHARS = 2000
CHARS_PER_TOKEN = 3  # an underestimate: a context that is cut once too often still fits
PROMPT_TOKENS = 600
MAX_ROUNDS = 6

A = TypeVar("A", bound=BaseModel)


class UnusableAnswerError(TransientStepError):
    """The model's answers did not fit the schema, however often it was asked."""

    code = "step_unusable_answer"


class Questions:
    """Every answer is remembered as soon as it is there, so a killed step loses at most one."""

    def __init__(
        self, llm: LanguageModel, cache: AnswerCache, *, parse_retries: int, context_window: int
    ) -> None:
        self._llm, self._cache = llm, cache
        self._parse_retries, self._window = parse_retries, context_window

    def prose(self, ask: Ask, text: str) -> str:
        """The model's answer to a task about `text`.

        A text beyond the context window is asked about in parts, and the answers are
        combined, again and again if need be. Raises TransientStepError (also for an
        empty answer) or TerminalStepError.
        """
        return str(self._remembered(ask.purpose, ask, text, lambda: self._analysed(ask, text)))

    def structured(self, ask: Ask, text: str, model: type[A]) -> A:
        """The answer as a `model`: one analysis, then at most 1 + parse_retries formattings.

        Raises UnusableAnswerError when none of them fits.
        """

        def make() -> Costed:
            analysis = self._analysed(ask, text)
            answer = self._formatted(ask, analysis.value, model)
            return Costed(answer.value, analysis.usage + answer.usage)

        kind = f"{ask.purpose}:{model.__name__}"
        return model.model_validate(self._remembered(kind, ask, text, make))

    def _remembered(self, kind: str, ask: Ask, text: str, make: Callable[[], Costed]) -> object:
        question = ask._asdict() | {
            "text": text,
            "service": self._llm.base,
            "model": self._llm.model,
            "prompts": PROMPT_VERSION,
            "window": self._window,
        }
        return self._cache.remember(kind, question, make)

    def _analysed(self, ask: Ask, text: str, rounds: int = 0) -> Costed:
        parts = list(split(text, self._room_chars(ask)))
        if len(parts) == 1:
            return self._once(ask, parts[0])
        if rounds == MAX_ROUNDS:
            raise TransientStepError(f"{ask.purpose}: the answers never fit the context window")
        answers = [self._once(ask, part) for part in parts]
        combined = ask._replace(task=COMBINE.replace("{task}", ask.task))
        last = self._analysed(combined, "\n\n".join(a.value for a in answers), rounds + 1)
        return Costed(last.value, sum((a.usage for a in answers), start=last.usage))

    def _once(self, ask: Ask, text: str) -> Costed:
        messages = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": f"<transcript>\n{text}\n</transcript>\n\n{ask.task}"},
        ]
        answer = self._complete(ask, messages)
        if not answer.value:
            raise TransientStepError(f"language model: empty answer to {ask.purpose}")
        return answer

    def _formatted(self, ask: Ask, analysis: str, model: type[A]) -> Costed:
        schema = json.dumps(model.model_json_schema(), ensure_ascii=False)
        asked = f"<analysis>\n{analysis}\n</analysis>\n\n{FORMAT}\n{schema}"
        prompt, spent = asked, Usage()
        for _ in range(1 + self._parse_retries):
            reply = self._complete(ask, [{"role": "user", "content": prompt}])
            spent = spent + reply.usage
            try:
                return Costed(parsed(reply.value, model).model_dump(mode="json"), spent)
            except ValueError as unfit:
                again = AGAIN.replace("{reason}", reason_of(unfit))
                prompt = f"{asked}\n\n{again.replace('{bad}', reply.value[:QUOTED_CHARS])}"
        raise UnusableAnswerError(f"language model: no usable {ask.purpose} in {model.__name__}")

    def _complete(self, ask: Ask, messages: list[Message]) -> Costed:
        reply = self._llm.complete(Request(ask.purpose, messages, ask.temperature, ask.max_tokens))
        return Costed(reply.text.strip(), reply.usage)

    def _room_chars(self, ask: Ask) -> int:
        tokens = self._window - ask.max_tokens - PROMPT_TOKENS - len(ask.task) // CHARS_PER_TOKEN
        return max(500, tokens) * CHARS_PER_TOKEN


def split(text: str, limit: int) -> Iterator[str]:
    """Parts of at most `limit` characters, cut after a line or else a blank; at least one."""
    while len(text) > limit:
        head = text[:limit]
        cut = max(head.rfind("\n"), 0) or max(head.rfind(" "), 0) or limit - 1
        yield text[: cut + 1]
        text = text[cut + 1 :]
    yield text


def parsed(text: str, model: type[A]) -> A:
    """The first JSON object in a text, as a `model`; ValueError when there is none that fits."""
    decoder, last = json.JSONDecoder(), ValueError("there is no JSON object in it")
    for start in [at for at, char in enumerate(text) if char == "{"][:20]:
        try:
            found, _ = decoder.raw_decode(text[start:])
            return model.model_validate(found)
        except (ValueError, RecursionError) as unfit:
            last = unfit if isinstance(unfit, ValueError) else ValueError("nested too deeply")
    raise last


def reason_of(unfit: ValueError) -> str:
    """Why an answer did not fit, in one line."""
    if isinstance(unfit, ValidationError):
        first = unfit.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the object'}: {first['msg']}"
    return str(unfit)

"""Answers of recogniser and language model, remembered by all that they depend on.

A key is the hash of the namespace, the kind of answer and the whole question:
text or sound (by content, never by address), service, model, prompts and parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from reflector_migrate.model import Usage
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.store.cache import TaskCache
from reflector_migrate.store.canonical_json import sha256_of

KEY_VERSION = 2  # 2: with the recogniser's model and the language model's address


class Costed(NamedTuple):
    """A JSON value and what it took to get it."""

    value: Any
    usage: Usage


class AnswerCache:
    """Serves an answer again, or has it made; without a store every answer is made.

    `own` is called with each key first: what is cached of a run is erased with the run.
    """

    def __init__(
        self,
        store: TaskCache | None,
        namespace: str,
        meter: UsageMeter,
        own: Callable[[str], object] = lambda _key: None,
    ) -> None:
        self._store, self._namespace, self._meter, self._own = store, namespace, meter, own

    @property
    def is_on(self) -> bool:
        """Whether anything is remembered at all."""
        return self._store is not None

    def remember(self, kind: str, question: Mapping[str, Any], make: Callable[[], Costed]) -> Any:
        """The answer to `question`; what is not made again is counted as saved."""
        if self._store is None:
            return make().value
        key = self.key(kind, question)
        self._own(key)
        hit = _entry(self._store.get(key))
        if hit is not None:
            self._meter.add(cache_hits=1, **_saved(hit.usage))
            return hit.value
        made = make()
        self._store.set(key, {"value": made.value, "usage": made.usage.model_dump()})
        return made.value

    def key(self, kind: str, question: Mapping[str, Any]) -> str:
        """Hex digits that no other question, kind or namespace has."""
        return sha256_of([KEY_VERSION, self._namespace, kind, dict(question)])


def _entry(stored: Any) -> Costed | None:
    try:
        return Costed(stored["value"], Usage.model_validate(stored["usage"]))
    except (KeyError, TypeError, ValidationError):
        return None


def _saved(usage: Usage) -> dict[str, Any]:
    return {
        "saved_gpu_seconds": usage.gpu_seconds,
        "saved_llm_tokens": usage.llm_tokens_in + usage.llm_tokens_out,
    }

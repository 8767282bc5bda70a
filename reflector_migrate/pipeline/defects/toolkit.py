"""What seeded defects are made of: a context in which one thing is done carelessly.

Nothing here is used by a step; only files of fixtures/defects import it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any

from reflector_migrate.errors import TransientStepError
from reflector_migrate.pipeline.artifacts import words_at
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import Ref
from reflector_migrate.pipeline.defects.registry import Step
from reflector_migrate.pipeline.topics import Word


class Instead:
    """An object with some of its methods replaced; all others are the real one's."""

    def __init__(self, real: Any, **methods: Callable[..., Any]) -> None:
        self.__dict__.update(methods)
        self._real = real

    def __getattr__(self, name: str) -> Any:
        """Whatever is not replaced."""
        return getattr(self._real, name)


def with_rows(ctx: StepContext, **methods: Callable[..., Any]) -> StepContext:
    """The context with some of its rows' methods replaced."""
    return replace(ctx, rows=Instead(ctx.rows, **methods))  # type: ignore[arg-type] # by its use


def with_effects(ctx: StepContext, **methods: Callable[..., Any]) -> StepContext:
    """The context with some of its effects replaced."""
    return replace(ctx, effects=Instead(ctx.effects, **methods))


def with_prose(ctx: StepContext, alter: Callable[[str], str]) -> StepContext:
    """The context whose language model's prose goes through `alter`; the cache keeps the true one.

    The model's own answer is what is remembered, so that no later run meets the altered one.
    """

    def prose(ask: Any, text: str) -> str:
        return alter(ctx.questions.prose(ask, text))

    return replace(ctx, questions=Instead(ctx.questions, prose=prose))  # type: ignore[arg-type]


Alter = Callable[[str], str] | Mapping[str, str]
"""A text's other version, or what is replaced by what: at once, so that two may be exchanged."""


def prose_with(alter: Alter) -> Callable[[Step], Step]:
    """A step whose model's prose says another thing."""
    return lambda step: lambda task, ctx: step(task, with_prose(ctx, partial(_altered, alter)))


def topics_with(alter: Alter) -> Callable[[Step], Step]:
    """A step whose model's topics have another summary; the cache keeps the true one."""

    def broken(step: Step, task: Any, ctx: StepContext) -> Any:
        def structured(*asked: Any) -> Any:
            answer = ctx.questions.structured(*asked)
            return answer.model_copy(update={"summary": _altered(alter, answer.summary)})

        questions = Instead(ctx.questions, structured=structured)
        return step(task, replace(ctx, questions=questions))  # type: ignore[arg-type]

    return lambda step: partial(broken, step)


def _altered(alter: Alter, text: str) -> str:
    if not isinstance(alter, Mapping):
        return alter(text)
    return re.sub("|".join(map(re.escape, alter)), lambda found: alter[found.group()], text)


def told_otherwise(
    ctx: StepContext, event: str, alter: Callable[[dict[str, Any]], dict[str, Any]]
) -> StepContext:
    """The context in which an event's data are altered, in the row and on the bus alike."""

    def append(transcript_id: str, name: str, data: Any, **columns: Any) -> bool:
        told = alter(dict(data)) if name == event else data
        return ctx.rows.append_event(transcript_id, name, told, **columns)

    def broadcast(user_id: str | None, name: str, data: Any, *, key: str) -> None:
        told = alter(dict(data)) if name == event else data
        ctx.effects.broadcast(user_id, name, told, key=key)

    return with_effects(with_rows(ctx, append_event=append), broadcast=broadcast)


def is_first_attempt(ctx: StepContext, step: str) -> bool:
    """True once for each run and step: for the first caller."""
    if ctx.artifacts.find(ctx.run.run_id, step, "injected") is not None:
        return False
    ctx.artifacts.put(ctx.run.run_id, step, "injected", {"attempt": 1})
    return True


def lost_once(step: Step, name: str) -> Step:
    """Injected fault: the first attempt does all its work, then its worker is lost."""

    @wraps(step)
    def twice(task: Any, ctx: StepContext) -> Any:
        done = step(task, ctx)
        if is_first_attempt(ctx, name):
            raise TransientStepError("injected: the worker was lost after its work")
        return done

    return twice


def words_replaced(
    ctx: StepContext, ref: Ref, step: str, key: str, alter: Callable[[list[Word]], Sequence[Any]]
) -> Ref:
    """The words at `ref`, altered and stored again where `step` had put them."""
    altered = list(alter(list(words_at(ctx.artifacts, ref))))
    return Ref(**ctx.artifacts.put(ctx.run.run_id, step, key, altered)._asdict())

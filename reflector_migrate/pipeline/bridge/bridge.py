"""One run's questions to Reflector's own code: usage is counted, and answers are remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reflector_migrate.errors import TerminalStepError
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.bridge.children import children
from reflector_migrate.pipeline.cache import AnswerCache, Costed
from reflector_migrate.pipeline.heartbeat_pool import Heartbeat
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.settings import Settings

Json = dict[str, Any]


class Bridge:
    """Of one context of one step. Starts nothing until it is asked."""

    def __init__(
        self,
        settings: Settings,
        session_id: str,
        cache: AnswerCache,
        meter: UsageMeter,
        heartbeat: Heartbeat,
    ) -> None:
        self._settings, self._session_id = settings, session_id
        self._cache, self._meter, self._heartbeat = cache, meter, heartbeat
        self.build: str | None = None  # of Reflector's code, once it was asked

    def build_for(self, step: str) -> str:
        """Which code of Reflector's serves the step; TerminalStepError names what it lacks."""
        hello = children(self._settings.pipeline).hello(self._heartbeat)
        self.build = hello.build
        if step not in hello.has:
            lacking = hello.lacks.get(step, "not known to it")
            raise TerminalStepError(
                f"Reflector {hello.release or hello.build} cannot serve {step}: {lacking}",
                hint=f"set pipeline.processors to ours, or pipeline.{step}",
            )
        return hello.build

    def ask(
        self, step: str, question: Mapping[str, Any], on_topic: Callable[[Json], None] | None = None
    ) -> Json:
        """The child's answer to `question`, remembered by all of it and by Reflector's build.

        `on_topic` hears each topic as it is found. Raises Transient- or TerminalStepError.
        """
        build = self.build_for(step)
        services = self._settings.services
        whole = {
            **question, "reflector": build, "service": services.llm_url,
            "model": services.llm_model,
        }  # fmt: skip
        made = self._cache.remember(
            f"reflector:{step}", whole, lambda: self._asked(step, question, on_topic)
        )
        return dict(made)

    def _asked(
        self, step: str, question: Mapping[str, Any], on_topic: Callable[[Json], None] | None
    ) -> Costed:
        pipeline, spent, answer = self._settings.pipeline, Usage(), {}
        whole = {**question, "session_id": self._session_id}
        topics: list[Json] = []
        with children(pipeline).child(self._heartbeat) as child:
            for kind, value in child.ask(step, whole, self._heartbeat, pipeline.child_silence_s):
                if kind == "call":
                    used = usage_of(value)
                    spent = spent + used
                    self._meter.add(**used.model_dump())
                elif kind == "topic":
                    topics.append(value)
                    if on_topic is not None:
                        on_topic(value)
                else:
                    answer = dict(value)
        return Costed({**answer, **({"topics": topics} if on_topic else {})}, spent)


def usage_of(call: Mapping[str, Any]) -> Usage:
    """What one outside call used, by its facts; partial where a model did not say its tokens."""
    if call["service"] == "recogniser":
        return Usage(external_calls=1, gpu_seconds=call["duration_s"], gpu_seconds_estimated=True)
    if call["service"] != "llm":
        return Usage(external_calls=1)
    if "tokens_in" not in call:
        has_answered = call.get("status") == 200
        return Usage(external_calls=1, llm_calls=int(has_answered), is_partial=has_answered)
    tokens = int(call["tokens_in"]), int(call["tokens_out"])
    return Usage(
        external_calls=1, llm_calls=1, llm_tokens_in=tokens[0], llm_tokens_out=tokens[1],
        llm_tokens_per_call=(tokens,),
    )  # fmt: skip

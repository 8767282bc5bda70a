"""Runs Reflector's own processors for one of our workers, in Reflector's environment.

Started as `python reflector_steps.py --questions FD --answers FD --memory-bytes N`, with
Reflector's interpreter, checkout and environment. It needs the standard library and Reflector.

Protocol 1: one JSON object a line, on two pipes that nothing else writes to, since the libraries
print to stdout. A question is {v, id, ask, ...}; its answers bear the same id and say what they
are: `topic` (as found), `call` (an outside call's facts), then one of `done` or `failed`. One
question at a time: Reflector's language model is set for the whole process. The process ends when
its questions do.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import logging
import os
import queue
import resource
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

PROTOCOL = 1
TOPICS = "reflector.pipelines.topic_processing"
TYPES = "reflector.processors.types"
HEX_DIGITS = 12

Json = dict[str, Any]
Say = Callable[..., None]


class LackingError(Exception):
    """This release of Reflector has not what a question needs; the message names it."""


# what this Reflector has


def named(module: str, name: str) -> Any:
    """`module.name`; LackingError where there is none."""
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise LackingError(
            f"{module} cannot be imported: {error.name or type(error).__name__}"
        ) from error
    if not hasattr(found, name):
        raise LackingError(f"{module} has no {name}")
    return getattr(found, name)


def fitted(function: Callable[..., Any], given: Mapping[str, Any]) -> Json:
    """The keyword arguments of `given` that it takes; a callback it wants besides hears nothing.

    LackingError names a callback that it does not take, and an argument that we cannot give.
    """
    where = f"{function.__module__}.{function.__name__}"
    parameters = inspect.signature(function).parameters
    keywords = {
        n: p for n, p in parameters.items() if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
    }
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if missing := [n for n in given if n not in keywords and n.startswith("on_") and not takes_any]:
        raise LackingError(f"{where} takes no {missing[0]}")
    made = {n: value for n, value in given.items() if n in keywords or takes_any}
    for name, parameter in keywords.items():
        if parameter.kind is not parameter.KEYWORD_ONLY or name in made:
            continue
        if name.startswith("on_") and name.endswith("_callback"):
            made[name] = _hear_nothing
        elif parameter.default is parameter.empty:
            raise LackingError(f"{where} wants {name}")
    return made


async def _hear_nothing(*_args: Any, **_kwargs: Any) -> None:
    return None


def hello() -> Json:
    """Protocol, build, and which steps can be served: for each that cannot, what is missing."""
    lacks = {}
    for ask, needs in NEEDS.items():
        try:
            for check in needs:
                check()
        except LackingError as error:
            lacks[ask] = str(error)
    return {
        "protocol": PROTOCOL,
        "python": ".".join(map(str, sys.version_info[:3])),
        "release": release(),
        "build": build(),
        "has": sorted(set(NEEDS) - set(lacks)),
        "lacks": lacks,
    }


def release() -> str:
    """The version of the installed distribution; empty where it is a bare checkout."""
    try:
        return importlib.metadata.version("reflector")
    except importlib.metadata.PackageNotFoundError:
        return ""


def build() -> str:
    """Twelve hex digits over the package's sources: a local change is another build."""
    spec = importlib.util.find_spec("reflector")
    digest = hashlib.sha256()
    for folder in sorted((spec.submodule_search_locations or []) if spec else []):
        for path in sorted(Path(folder).rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:HEX_DIGITS]


def _takes(name: str, *callbacks: str) -> Callable[[], None]:
    def check() -> None:
        fitted(
            named(TOPICS, name),
            {**dict.fromkeys(callbacks), "empty_pipeline": None, "logger": None},
        )

    return check


def _has(module: str, name: str) -> Callable[[], Any]:
    return lambda: named(module, name)


COMMON = (
    _has(TOPICS, "EmptyPipeline"),
    _has("reflector.llm", "llm_session_id"),
    *(_has(TYPES, name) for name in ("Word", "Transcript", "TitleSummary")),
)
NEEDS: dict[str, tuple[Callable[[], Any], ...]] = {
    "detect_topics": (*COMMON, _takes("detect_topics", "on_topic_callback")),
    "generate_title": (*COMMON, _takes("generate_title", "on_title_callback")),
    "generate_summary": (
        *COMMON,
        _takes("generate_summaries", "on_long_summary_callback", "on_short_summary_callback"),
    ),
}
"""What each step needs of a release, looked up without calling anything."""


# the questions


async def detect_topics(asked: Json, say: Say) -> Json:
    """Topics of `words`, each said as soon as it is found."""

    async def on_topic(topic: Any) -> None:
        say("topic", _plain(topic))

    transcript = named(TYPES, "Transcript")(words=_words(asked["words"]), translation=None)
    function, log = named(TOPICS, "detect_topics"), _log()
    given = {"on_topic_callback": on_topic, "empty_pipeline": _pipeline(log), "logger": log}
    await function(transcript, asked["target_language"], **fitted(function, given))
    return {}


async def generate_title(asked: Json, _say: Say) -> Json:
    """The title of a meeting with these topics; None where none came."""
    heard: Json = {"title": None}

    async def on_title(found: Any) -> None:
        heard["title"] = found.title

    function, log = named(TOPICS, "generate_title"), _log()
    given = {"on_title_callback": on_title, "empty_pipeline": _pipeline(log), "logger": log}
    await function(_topics(asked["topics"]), **fitted(function, given))
    return heard


async def generate_summary(asked: Json, _say: Say) -> Json:
    """Both summaries; None for one that did not come."""
    heard: Json = {"long_summary": None, "short_summary": None}

    async def on_long(found: Any) -> None:
        heard["long_summary"] = found.long_summary

    async def on_short(found: Any) -> None:
        heard["short_summary"] = found.short_summary

    row = SimpleNamespace(participants=[SimpleNamespace(**p) for p in asked["participants"]])
    function, log = named(TOPICS, "generate_summaries"), _log()
    given = {
        "on_long_summary_callback": on_long, "on_short_summary_callback": on_short,
        "empty_pipeline": _pipeline(log), "logger": log,
    }  # fmt: skip
    await function(_topics(asked["topics"]), row, **fitted(function, given))
    return heard


ASKS: dict[str, Callable[[Json, Say], Any]] = {
    "detect_topics": detect_topics,
    "generate_title": generate_title,
    "generate_summary": generate_summary,
}


def _words(plain: Sequence[Json]) -> list[Any]:
    word = named(TYPES, "Word")
    return [word(**one) for one in plain]


def _topics(plain: Sequence[Json]) -> list[Any]:
    summary, transcript = named(TYPES, "TitleSummary"), named(TYPES, "Transcript")
    return [
        summary(
            title=one["title"], summary=one["summary"], timestamp=one["timestamp"],
            duration=one["duration"],
            transcript=transcript(words=_words(one["words"]), translation=None),
        )
        for one in plain
    ]  # fmt: skip


def _plain(topic: Any) -> Json:
    words = [
        {"text": w.text, "start": w.start, "end": w.end, "speaker": w.speaker}
        for w in topic.transcript.words
    ]
    return {
        "title": topic.title, "summary": topic.summary, "timestamp": topic.timestamp,
        "duration": topic.duration, "words": words,
    }  # fmt: skip


def _log() -> Any:
    try:
        return named("reflector.logger", "logger")
    except LackingError:
        return logging.getLogger("reflector")


def _pipeline(log: Any) -> Any:
    return named(TOPICS, "EmptyPipeline")(logger=log)


# the way in and out


def answer(asked: Json, say: Say) -> None:
    """Answer one question, and say what became of it."""
    try:
        if asked.get("v") != PROTOCOL:
            raise LackingError(f"protocol {asked.get('v')} is asked for, and {PROTOCOL} is spoken")
        if asked["ask"] == "hello":
            say("done", hello())
            return
        named("reflector.llm", "llm_session_id").set(asked["session_id"])
        say("done", asyncio.run(ASKS[asked["ask"]](asked, say)))
    except BaseException as error:
        say("failed", failure_of(error))
        if not isinstance(error, Exception | asyncio.CancelledError):
            raise


def failure_of(error: BaseException) -> Json:
    """Kinds of the error and of what it came from, a status if one answered; never its words."""
    kinds: list[str] = []
    status: int | None = None
    seen: BaseException | None = error
    while seen is not None and len(kinds) < 8:
        kinds.append(type(seen).__name__)
        told = getattr(seen, "status_code", None) or getattr(
            getattr(seen, "response", None), "status_code", None
        )
        status = status or (told if isinstance(told, int) else None)
        seen = seen.__cause__ or seen.__context__
    lacks = str(error) if isinstance(error, LackingError) else None
    return {"kinds": kinds, "status": status, "lacks": lacks}


def main(argv: Sequence[str] | None = None) -> None:
    """Answer questions until there are no more."""
    parser = argparse.ArgumentParser()
    for name in ("--questions", "--answers", "--memory-bytes"):
        parser.add_argument(name, type=int, required=True)
    given = parser.parse_args(argv)
    resource.setrlimit(resource.RLIMIT_DATA, (given.memory_bytes, given.memory_bytes))
    os.dup2(2, 1)  # libraries print; nothing of it may look like an answer
    answers, lock, current = os.fdopen(given.answers, "wb"), threading.Lock(), {"id": 0}

    def say(what: str, value: Any) -> None:
        line = json.dumps({"v": PROTOCOL, "id": current["id"], "is": what, "value": value})
        with lock:
            answers.write(line.encode() + b"\n")
            answers.flush()

    _watch(say)
    waiting: queue.SimpleQueue[Json] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(given.questions, waiting), daemon=True).start()
    while True:
        asked = waiting.get()
        current["id"] = asked["id"]
        answer(asked, say)


def _read(questions: int, waiting: queue.SimpleQueue[Json]) -> None:
    """Queue each question; when the asker is gone, so is this process, whatever it is at."""
    try:
        with os.fdopen(questions, "rb") as lines:
            for line in lines:
                waiting.put(json.loads(line))
    finally:
        os._exit(0)


def _watch(say: Say) -> None:
    observe = importlib.import_module("reflector_observe")
    observe.watch(lambda facts, _request, _answer: say("call", facts))


if __name__ == "__main__":
    main()

"""Finds what the meeting was about, stretch by stretch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from reflector_migrate.pipeline.artifacts import as_topic, words_at
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import TopicsInput, TopicsOutput
from reflector_migrate.pipeline.heartbeat_pool import in_order
from reflector_migrate.pipeline.prompts import ASK_TOPIC, TopicAnswer
from reflector_migrate.pipeline.topic_rows import (
    STEP,
    Topic,
    drop_others,
    store_topics,
    write_topic,
)
from reflector_migrate.pipeline.topics import Word, stretches, text_of, tidy_title, topic_id
from reflector_migrate.store.canonical_json import sha256_of

Stretch = tuple[int, Sequence[Word]]


def detect_topics(task: TopicsInput, ctx: StepContext) -> TopicsOutput:
    """Topics in the order of the meeting: column, captions and TOPIC event, one after another.

    Each is stored as soon as the model has named it, so that a retry goes on where the
    last attempt stopped; the model is asked about several at a time.
    """
    words = words_at(ctx.artifacts, task.words)
    parts: list[Stretch] = list(enumerate(stretches(words)))
    drop_others(ctx, {topic_id(ctx.run.run_id, index) for index, _ in parts})
    parallel = ctx.settings.llm_calls if ctx.is_retried else 1
    found: list[Topic] = []
    work = partial(_topic, ctx)
    for topic in in_order(work, parts, parallel=parallel, heartbeat=ctx.heartbeat):
        ctx.heartbeat()  # with all of them known there is nothing to wait for, and much to write
        write_topic(ctx, topic)
        found.append(topic)
    return store_topics(ctx, found)


def _topic(ctx: StepContext, stretch: Stretch) -> Topic:
    index, words = stretch
    digest = sha256_of(words)
    kept = _stored(ctx, index) if ctx.is_retried else None
    if kept is not None and kept["words_sha256"] == digest:
        return as_topic(kept["topic"])
    topic = _named(ctx, index, words)
    value = {"words_sha256": digest, "topic": topic}
    ctx.artifacts.put(ctx.run.run_id, STEP, f"topic_{index}", value)
    return topic


def _stored(ctx: StepContext, index: int) -> dict[str, Any] | None:
    found = ctx.artifacts.find(ctx.run.run_id, STEP, f"topic_{index}")
    return ctx.artifacts.get(found.ref) if found else None


def _named(ctx: StepContext, index: int, words: Sequence[Word]) -> Topic:
    text = text_of(words)
    answer = ctx.questions.structured(ASK_TOPIC, text, TopicAnswer)
    return {
        "id": topic_id(ctx.run.run_id, index),
        "title": tidy_title(answer.title),
        "summary": answer.summary,
        "timestamp": words[0]["start"],
        "duration": 0.0,
        "transcript": text,
        "words": list(words),
    }

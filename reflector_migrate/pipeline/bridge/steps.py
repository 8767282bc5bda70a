"""Steps whose words are Reflector's own code's; rows, events and retries stay ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reflector_migrate.pipeline.artifacts import as_topic, words_at
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import (
    Ref,
    SummaryInput,
    SummaryOutput,
    TitleInput,
    TitleOutput,
    TopicsInput,
    TopicsOutput,
)
from reflector_migrate.pipeline.publish import keep_and_tell
from reflector_migrate.pipeline.services.llm import storable
from reflector_migrate.pipeline.steps import STEPS, Step
from reflector_migrate.pipeline.topic_rows import (
    STEP,
    Topic,
    drop_others,
    store_topics,
    write_topic,
)
from reflector_migrate.pipeline.topics import Word, text_of, topic_id
from reflector_migrate.settings import Settings
from reflector_migrate.store.canonical_json import sha256_of

Json = dict[str, Any]


def detect_topics(task: TopicsInput, ctx: StepContext) -> TopicsOutput:
    """Topics as Reflector finds them; a retry asks for the words after the last one stored."""
    words = words_at(ctx.artifacts, task.words)
    build = ctx.bridge.build_for(STEP)
    found = _stored_before(ctx, words, build) if ctx.is_retried else []
    known = len(found)
    drop_others(ctx, {topic["id"] for topic in found})
    for topic in found:
        write_topic(ctx, topic)

    def on_topic(told: Json) -> None:
        topic = _topic(ctx, len(found), told)
        value = {"build": build, "words_sha256": sha256_of(topic["words"]), "topic": topic}
        ctx.artifacts.put(ctx.run.run_id, STEP, _name(len(found)), value)
        write_topic(ctx, topic)
        found.append(topic)

    if rest := words[sum(len(topic["words"]) for topic in found) :]:
        question = {"words": rest, "target_language": task.target_language}
        answer = ctx.bridge.ask(STEP, question, on_topic)
        for told in answer["topics"][len(found) - known :]:  # remembered, so not heard
            on_topic(told)
    return store_topics(ctx, found)


def _stored_before(ctx: StepContext, words: Sequence[Word], build: str) -> list[Topic]:
    """Topics that an earlier attempt stored, as far as they are the beginning of these words."""
    found: list[Topic] = []
    place = 0
    while stored := ctx.artifacts.find(ctx.run.run_id, STEP, _name(len(found))):
        kept = ctx.artifacts.get(stored.ref)
        size = len(kept["topic"]["words"])
        same = sha256_of(words[place : place + size])
        if not size or (kept["build"], kept["words_sha256"]) != (build, same):
            break
        found.append(as_topic(kept["topic"]))
        place += size
    return found


def _name(index: int) -> str:
    return f"reflector_topic_{index}"


def _topic(ctx: StepContext, index: int, told: Json) -> Json:
    return {
        "id": topic_id(ctx.run.run_id, index),
        "title": storable(told["title"]),
        "summary": storable(told["summary"]),
        "timestamp": float(told["timestamp"]),
        "duration": float(told["duration"] or 0),
        "transcript": text_of(told["words"]),
        "words": told["words"],
    }


def generate_title(task: TitleInput, ctx: StepContext) -> TitleOutput:
    """FINAL_TITLE, and the column if it was empty. No topics, no title."""
    topics = _topics_at(ctx, task.topics)
    if not topics:
        return TitleOutput(title=None)
    answer = ctx.bridge.ask("generate_title", {"topics": topics})
    if answer["title"] is None:  # Reflector's own pipeline would go on without one
        return TitleOutput(title=None)
    title = storable(answer["title"])
    ctx.rows.set_title(ctx.run.transcript_id, title)
    keep_and_tell(ctx, "FINAL_TITLE", {"title": title})
    return TitleOutput(title=title)


def generate_summary(task: SummaryInput, ctx: StepContext) -> SummaryOutput:
    """FINAL_SHORT_SUMMARY, then FINAL_LONG_SUMMARY, each with its column. No topics, no summary."""
    topics = _topics_at(ctx, task.topics)
    if not topics:
        return SummaryOutput()
    row = ctx.rows.get_transcript(ctx.run.transcript_id)
    question = {"topics": topics, "participants": [dict(p) for p in row.participants]}
    answer = ctx.bridge.ask("generate_summary", question)
    told = {
        name: storable(answer[name])
        for name in ("short_summary", "long_summary")
        if answer[name] is not None
    }
    for name, text in told.items():
        keep_and_tell(ctx, f"FINAL_{name.upper()}", {name: text}, **{name: text})
    return SummaryOutput(summary=told.get("long_summary"), short_summary=told.get("short_summary"))


def _topics_at(ctx: StepContext, ref: Ref) -> list[Topic]:
    """The stored topics without ids, so that the same question is the same in another run."""
    topics = (as_topic(topic) for topic in ctx.artifacts.get(ref.ref))
    return [{k: v for k, v in topic.items() if k != "id"} for topic in topics]


THEIRS: Mapping[str, Step] = {
    "detect_topics": detect_topics,
    "generate_title": generate_title,
    "generate_summary": generate_summary,
}


def steps_of(settings: Settings) -> Mapping[str, Step]:
    """Every step, those that the configuration hands over by Reflector's code."""
    handed = settings.pipeline.handed_over
    return {**STEPS, **{name: THEIRS[name] for name in handed}} if handed else STEPS

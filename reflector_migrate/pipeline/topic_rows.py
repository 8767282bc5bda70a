"""Topics in the row, for listeners and for the next step, from either source."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import Ref, TopicsOutput
from reflector_migrate.pipeline.publish import tell
from reflector_migrate.pipeline.webvtt import webvtt_of_topics
from reflector_migrate.store.canonical_json import sha256_of

STEP = "detect_topics"
Topic = dict[str, Any]


def drop_others(ctx: StepContext, ids: Collection[str]) -> None:
    """Remove what an earlier run of the step, on other words, left in the row."""
    row = ctx.rows.get_transcript(ctx.run.transcript_id)
    topics = [topic for topic in row.topics if topic["id"] in ids]
    events = [e for e in row.events if e["event"] != "TOPIC" or e["data"]["id"] in ids]
    if len(topics) < len(row.topics) or len(events) < len(row.events):
        columns = {"topics": topics, "events": events, "webvtt": webvtt_of_topics(topics)}
        ctx.rows.update_transcript(ctx.run.transcript_id, **columns)


def write_topic(ctx: StepContext, topic: Topic) -> None:
    """Column, captions and TOPIC event of one topic; its duration is 0 there, as legacy's is."""
    told = {**topic, "duration": 0}
    ctx.rows.add_topic(ctx.run.transcript_id, topic, told)
    tell(ctx, "TOPIC", told)


def store_topics(ctx: StepContext, topics: Sequence[Topic]) -> TopicsOutput:
    """All of them, stored for the next steps; ids are not part of what they hash to."""
    stored = ctx.artifacts.put(ctx.run.run_id, STEP, "topics", list(topics))
    said = sha256_of([{k: v for k, v in topic.items() if k != "id"} for topic in topics])
    return TopicsOutput(topics=Ref(ref=stored.ref, sha256=said, count=stored.count))

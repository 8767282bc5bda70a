"""The outside calls of the primary's tasks, as the plugin saw them: usage by step, effects as sent.

A task that says nothing of its calls was not observed. That is None here, and never "no call".
S3 is called by another library and never seen.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from reflector_migrate.model import STEP_SPECS, TRACK_STEPS, Effect, StepRun, Usage
from reflector_migrate.pipeline.bridge.bridge import usage_of
from reflector_migrate.pipeline.services.webhook import EVENT

Json = Mapping[str, Any]
METHODS: Mapping[str, str] = {s.primary_method: s.name for s in STEP_SPECS if s.primary_method}
CALLERS: Mapping[str, str] = {
    "update_participants_from_daily": "daily", "transcribe_file": "recogniser", "on_topic": "llm",
}  # fmt: skip
"""Inner steps that cannot end well without a call of that service."""
MAX_BODY_BYTES = 8 << 20
"""A body is not unpacked beyond this: any writer to the broker can send one."""


def calls_of(spans: Sequence[Json], task: str, service: str) -> list[Json] | None:
    """Answered calls of a service by a task of that name; None where no call of it was seen.

    A task may call by another library than the one watched: no call seen is not "nothing sent".
    """
    ended = (span for span in spans if str(span["task"]).endswith(task))
    calls = [call for span in ended for call in span.get("calls", ()) if call["service"] == service]
    return [call for call in calls if _is_success(call)] if calls else None


def with_usage(steps: Sequence[StepRun], task: Json) -> tuple[StepRun, ...]:
    """The task's step runs with what their calls used; as they are where nothing was observed."""
    if "calls" not in task:
        return tuple(steps)
    used: dict[tuple[str, int | None], Usage] = {}
    for call in task["calls"]:
        name = METHODS.get(str(call.get("inside")))
        key = (name or "", int(call["n"]) if name in TRACK_STEPS else None)
        used[key] = used.get(key, Usage()) + usage_of(call)
    if len(steps) == 1:  # a task that is a step: all its calls are the step's
        whole = sum((usage_of(call) for call in task["calls"]), start=Usage())
        return (steps[0].model_copy(update={"usage": whole}),)
    return tuple(
        step.model_copy(update={"usage": used.get((step.name, step.track_index), Usage())})
        for step in steps
    )


def zulip_sent(calls: Sequence[Json], message_id: int | None) -> Iterator[Effect] | None:
    """Each message as it was sent; None where a body was not collected."""
    texts = [text_of(call, "asked") for call in calls]
    if None in texts:
        return None
    return (_zulip(call, text or "", message_id) for call, text in zip(calls, texts, strict=True))


def _zulip(call: Json, text: str, message_id: int | None) -> Effect:
    form = {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
    topic = form.get("topic", "")
    told: dict[str, Any] = {"topic": topic, "content": form.get("content", "")}
    if call["method"] == "PATCH":
        told = {"message_id": message_id, **told}
    else:
        told = {"type": form.get("type"), "to": form.get("to"), **told}
    kind = "zulip_update" if call["method"] == "PATCH" else "zulip_message"
    return Effect(kind=kind, key=topic, payload=told, at=_at(call))


def webhooks_sent(calls: Sequence[Json]) -> list[Effect] | None:
    """One effect for each event id, its bytes as sent; None where a body was not collected."""
    latest: dict[str, Effect] = {}
    for call in calls:
        text = text_of(call, "asked")
        if text is None:
            return None
        raw = text.encode()
        latest[_event_id(text)] = Effect(
            kind="webhook",
            key=EVENT,
            payload={"headers": call.get("headers", {}), "body": text},
            sha256=hashlib.sha256(raw).hexdigest(),
            size_bytes=len(raw),
            at=_at(call),
        )
    return list(latest.values())


def text_of(call: Json, name: str) -> str | None:
    """What was asked or answered; None where the bounds or the mode left it out."""
    packed = call.get(name)
    if not isinstance(packed, str):
        return None
    try:
        unpacking = zlib.decompressobj()
        body = unpacking.decompress(base64.b64decode(packed), MAX_BODY_BYTES)
        return None if unpacking.unconsumed_tail else body.decode("utf-8", "replace")
    except (ValueError, zlib.error):
        return None


def unseen_services(runs: Sequence[Json]) -> list[str]:
    """Services that finished pipeline tasks must have called, and none of which was seen.

    Where they were called through another library than httpx, or the observer's file is missing.
    """
    finished = [run for run in runs if run.get("state") == "SUCCESS" and run.get("spans")]
    wanted = {
        service
        for run in finished
        for span in run["spans"]
        if (service := CALLERS.get(str(span["name"]))) is not None
    }
    seen = {str(call["service"]) for run in finished for call in run.get("calls", ())}
    return sorted(wanted - seen)


def _event_id(text: str) -> str:
    try:
        return str(json.loads(text).get("event_id"))
    except (ValueError, AttributeError):
        return text


def _is_success(call: Json) -> bool:
    return isinstance(call.get("status"), int) and 200 <= call["status"] < 300


def _at(call: Json) -> datetime:
    return datetime.fromtimestamp(float(call["started"]), UTC)

"""The plugin's spans as step runs: what is measured, what derived, what unknown.

On a real deployment only what the pipeline's methods show can be timed. Our own
stand-in also logs every step it runs, with usage and digests; where that log has
the task, it is the better witness.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from reflector_migrate.model import STEP_SPECS, TRACK_STEPS, StepRun, position
from reflector_migrate.model.primary_task import PIPELINE
from reflector_migrate.shadow.observe.calls import METHODS, with_usage
from reflector_migrate.store.steps import StepLog

Json = Mapping[str, Any]
Timed = Literal["measured", "derived", "unknown"]

TASKS: Mapping[str, str] = {s.primary_tasks[0]: s.name for s in STEP_SPECS if s.primary_tasks}
BOTH_LOOKUPS = "update_participants_from_daily"


def steps_of(spans: Sequence[Json], log: StepLog | None = None) -> tuple[StepRun, ...]:
    """A step run for each span that is one, in the order of the steps; tracks by their number."""
    found: list[StepRun] = []
    for task in spans:
        logged = log.of(str(task["task_id"])) if log else ()
        found += logged or with_usage(tuple(_of_task(task)), task)
    return tuple(sorted(found, key=lambda s: (position(s.name), s.track_index or 0, s.attempt)))


def pipeline_run_s(spans: Sequence[Json]) -> float | None:
    """Seconds of the pipeline's own task; None where it did not succeed in its one try."""
    tasks = [span for span in spans if str(span["task"]).rsplit(".", 1)[-1] == PIPELINE]
    if len(tasks) != 1 or tasks[0].get("state") != "SUCCESS":
        return None
    return float(tasks[0]["duration_s"])


def _of_task(task: Json) -> Iterator[StepRun]:
    name = str(task["task"]).rsplit(".", 1)[-1]
    if name == PIPELINE:
        yield from _of_pipeline(task["spans"])
    elif name in TASKS:
        is_ok = task.get("state") == "SUCCESS"
        attempt = int(task.get("retries") or 0) + 1
        yield _step(TASKS[name], task, "measured", is_ok=is_ok, attempt=attempt)


def _of_pipeline(spans: Sequence[Json]) -> Iterator[StepRun]:
    for span in spans:
        if span["name"] == BOTH_LOOKUPS:
            # one span covers two steps: neither has a time of its own
            yield _step("get_recording", span, "derived")
            yield _step("get_participants", span, "derived")
        elif span["name"] in METHODS:
            name = METHODS[span["name"]]
            track_index = span["n"] if name in TRACK_STEPS else None
            yield _step(name, span, "measured", track_index=track_index)
    yield from _waveform(spans)
    if any(span["name"] == "on_transcript" for span in spans):
        yield StepRun(name="merge_transcripts", timed="unknown")
    last = _last(span for span in spans if span["name"] == "set_status")
    if last is not None and last.get("value") in (None, "ended", "error"):
        yield _step("finalize", last, "measured")


def _waveform(spans: Sequence[Json]) -> Iterator[StepRun]:
    """From the end of DURATION's handler to the start of WAVEFORM's."""
    before = _last(span for span in spans if span["name"] == "on_duration")
    after = _last(span for span in spans if span["name"] == "on_waveform")
    if before is not None and after is not None:
        since = before["started"] + before["duration_s"]
        between = {"started": since, "duration_s": max(after["started"] - since, 0.0), "ok": True}
        yield _step("generate_waveform", between, "derived")


def _step(
    name: str,
    span: Json,
    timed: Timed,
    *,
    is_ok: bool | None = None,
    track_index: int | None = None,
    attempt: int = 1,
) -> StepRun:
    succeeded = span.get("ok", True) if is_ok is None else is_ok
    return StepRun(
        name=name,
        track_index=track_index,
        attempt=attempt,
        started=datetime.fromtimestamp(span["started"], UTC),
        ended=datetime.fromtimestamp(span["started"] + span["duration_s"], UTC),
        timed=timed,
        status="completed" if succeeded else "failed",
        worker=span.get("worker"),
    )


def _last(spans: Iterable[Json]) -> Json | None:
    found = list(spans)
    return found[-1] if found else None

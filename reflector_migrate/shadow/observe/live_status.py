"""Where both sides of a run are, step by step: what `migrate watch` shows.

The candidate publishes each step's state. The primary publishes none: its row and, after the
end, its spans show which steps are over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from reflector_migrate.conductor.events import PipelineProgress
from reflector_migrate.conductor.progress_log import FAMILY, heard
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_SPECS, TRACK_STEPS, VISIBLE_STEPS
from reflector_migrate.shadow.observe.sides import spans_of
from reflector_migrate.store.runs import RunRecord

RUNNING = ("processing", "error")


class StepLine(NamedTuple):
    """One step and its state on each side; empty: not begun, as far as one can tell."""

    step: str
    primary: str
    candidate: str


def board(harness: Harness, run: RunRecord) -> tuple[StepLine, ...]:
    """Fourteen lines in the order of the steps.

    Raises ServerUnreachableError or OutageError while a database is away.
    """
    primary = _primary(harness, run)
    candidate = candidate_states(harness, run.run_id, run.workflow_id or "")
    return tuple(StepLine(s, primary.get(s, ""), candidate.get(s, "")) for s in VISIBLE_STEPS)


def candidate_states(harness: Harness, run_id: str, workflow_id: str) -> dict[str, str]:
    """Each step's last news that stands; none of what is about to be run again."""
    log = harness.events.of(run_id, family=FAMILY)
    states, completed = {}, Counter[str]()
    for news in heard(log, workflow_id).told:
        if news.step_status == "completed" and news.track_index is not None:
            completed[news.current_step] += 1
        states[news.current_step] = _state(news, completed[news.current_step])
    return states


def _state(news: PipelineProgress, tracks_completed: int) -> str:
    """The track that was last heard of; no track once all of them have completed."""
    words = news.step_status.replace("_", " ")
    if news.track_index is None or tracks_completed == news.track_total:
        return words
    return f"track {news.track_index + 1} of {news.track_total} {words}"


def _primary(harness: Harness, run: RunRecord) -> dict[str, str]:
    from reflector_migrate.pipeline.rows import Rows

    row = Rows.at(harness.settings.reflector.database_url or "").find_transcript(run.transcript_id)
    if row is None:
        return {}
    done = behind(
        str(row.status), (str(e["event"]) for e in row.events), has_people=bool(row.participants)
    )
    return {**done, **_afterwards(spans_of(harness, run))}


def behind(status: str, events: Iterable[str], *, has_people: bool) -> dict[str, str]:
    """Steps that a row proves to be over, and the first that it does not while it is worked on."""
    there = set(events)
    done = dict.fromkeys(_proved(there), "completed")
    if status in (*RUNNING, "ended"):
        done["get_recording"] = "completed"
    if has_people or "DURATION" in there:
        done["get_participants"] = "completed"
    if status == "ended":
        done |= dict.fromkeys(VISIBLE_STEPS[: VISIBLE_STEPS.index("finalize") + 1], "completed")
    elif status in RUNNING:
        done[_first_open(done)] = "in progress" if status == "processing" else "failed"
    return done


def _proved(events: set[str]) -> Iterable[str]:
    """A step's events, and what works on all of its tracks, prove that it is over."""
    for spec in STEP_SPECS:
        is_proof = spec.events and not {"STATUS", "TOPIC"} & {*spec.events}
        if is_proof and events.issuperset(spec.events):  # a topic is not yet all topics
            yield from (spec.name, *TRACK_STEPS.intersection(spec.inputs))
    if "FINAL_TITLE" in events:
        yield "detect_topics"


def _first_open(done: Mapping[str, str]) -> str:
    return next(step for step in VISIBLE_STEPS if step not in done)


def _afterwards(spans: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    states = {str(span["task"]).rsplit(".", 1)[-1]: str(span["state"]) for span in spans}
    words = {"SUCCESS": "completed", "FAILURE": "failed", "RETRY": "tried again"}
    found = {}
    for spec in STEP_SPECS:
        state = next((states[task] for task in spec.primary_tasks if task in states), None)
        if state is not None:
            found[spec.name] = words.get(state, state.lower())
    return found

"""PIPELINE_PROGRESS: each step's states, published once, in order, and again after a retry.

The process that stores a transition publishes it, before
the next is stored: a retried step or a second worker publishes nothing twice, and news
arrive in their order. Telling is best effort and never harms a step: what could
not be published is caught up from the execution.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from reflector_migrate.conductor.events import PROGRESS, PipelineProgress
from reflector_migrate.conductor.progress_log import (
    FAMILY,
    Heard,
    Key,
    Part,
    State,
    heard,
    mark,
)
from reflector_migrate.conductor.publish_lock import turns_of
from reflector_migrate.harness import Harness
from reflector_migrate.model import TRACK_STEPS, VISIBLE_STEPS, Event, StepRun
from reflector_migrate.pipeline.context import place_of
from reflector_migrate.pipeline.contracts import Run, Track
from reflector_migrate.pipeline.services.events import Bus
from reflector_migrate.store.events import News

logger = logging.getLogger(__name__)

P = ParamSpec("P")


def _harmless(
    tell: Callable[Concatenate[Progress, P], None],
) -> Callable[Concatenate[Progress, P], None]:
    @wraps(tell)
    def told(self: Progress, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with turns_of(
                self._harness.settings.store_url
            ):  # publish in the order in which it is kept
                tell(self, *args, **kwargs)
        except Exception as error:  # telling must never fail what is told about
            whose = next(filter(None, map(_run_id_of, args)), "")
            logger.warning("run %s: progress not published: %s", whose, type(error).__name__)

    return told


def _run_id_of(argument: object) -> str:
    if isinstance(argument, Mapping):
        argument = argument.get("run")
    if isinstance(argument, Mapping):
        return str(argument.get("run_id", ""))
    return argument.run_id if isinstance(argument, Run) else ""


class Progress:
    """Tells the listeners of a transcript how far its workflow is."""

    def __init__(self, harness: Harness) -> None:
        """Open nothing yet."""
        self._harness = harness
        self._log = harness.events

    @_harmless
    def planned(self, run: Run, tracks: Sequence[Track]) -> None:
        """All steps are pending; a track's step once per track."""
        indexes = sorted(track.track_index for track in tracks)
        parts = [
            (step, index)
            for step in VISIBLE_STEPS
            for index in (indexes if step in TRACK_STEPS else [None])
        ]
        self._tell(run, [(part, "pending") for part in parts], track_total=len(indexes))

    @_harmless
    def started(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """A step is in progress; a second attempt publishes nothing."""
        self._transition(step, raw_input, "pending", "in_progress")  # one, if it was planned

    @_harmless
    def completed(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """A step has its output."""
        self._transition(step, raw_input, "completed")

    @_harmless
    def failed(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """A step failed for good."""
        self._transition(step, raw_input, "failed")

    @_harmless
    def catch_up(self, run: Run, step_runs: Iterable[StepRun], *, has_ended: bool) -> None:
        """Tell what no worker could: steps that the server timed out, or whose news was lost.

        `run` with its workflow id. An attempt that timed out while the workflow
        goes on is about to be retried, and so no failure.
        """
        last = {(s.name, s.track_index): s for s in step_runs}
        log = self._log.of(run.run_id, family=FAMILY)  # looked up once: whoever polls asks often
        known = heard(log, run.workflow_id or "").states
        for (step, index), attempt in last.items():
            state = _state_of(attempt, has_ended=has_ended) if step in VISIBLE_STEPS else None
            if state is not None and (step, index, state) not in known:
                self._tell(run, [((step, index), state)])

    def again(self, run_id: str, workflow_id: str, *, from_step: str | None = None) -> None:
        """From here on a step and all after it are published again; without one, what has failed.

        To be said before the server is asked: workers may begin at once. Raises
        ServerUnreachableError.
        """
        self._log.record_next(
            run_id, FAMILY, lambda log: [mark(heard(log, workflow_id), workflow_id, from_step)]
        )

    def _transition(self, step: str, raw_input: Mapping[str, Any], *states: State) -> None:
        if step in VISIBLE_STEPS and raw_input.get("outcome") != "error":  # that is no progress
            run = Run.model_validate(raw_input["run"])
            part = step, raw_input.get("track_index")
            self._tell(run, [(part, state) for state in states])

    def _tell(
        self, run: Run, changes: Sequence[tuple[Part, State]], *, track_total: int | None = None
    ) -> None:
        """Publish each in turn, unless it was published, or overtaken by what was."""
        place = place_of(run, self._harness.settings)
        channel = f"{place.channel_prefix}ts:{run.transcript_id}"

        def compose(log: Iterable[Event]) -> Iterator[News]:
            before = heard(log, run.workflow_id or "")
            for part, state in changes:
                if not _is_known_or_stale(before.states_of(part), state):
                    news = _news(before, run, part, state, track_total)
                    data = news.model_dump(mode="json", exclude_none=True)
                    yield News(FAMILY + news.id, channel, {"event": PROGRESS, "data": data})
                    before = before.with_news(news)

        bus = Bus(self._harness.redis(place.bus_url))
        self._log.record_next(
            run.run_id, FAMILY, compose, lambda news: bus.publish(channel, news.message)
        )


def percent_of(states: Iterable[Key], track_total: int) -> int:
    """Completed steps of fourteen in whole percent; a track counts for its part of the step."""
    completed = {(step, index) for step, index, state in states if state == "completed"}
    done = sum(1 / track_total if step in TRACK_STEPS else 1 for step, index in completed)
    return min(100, int(100 * done / len(VISIBLE_STEPS) + 1e-6))


def _news(
    before: Heard, run: Run, part: Part, state: State, track_total: int | None
) -> PipelineProgress:
    step, index = part
    total = track_total or before.track_total
    name = f"{run.workflow_id}:{step}:{'' if index is None else index}:{state}"
    return PipelineProgress(
        id=f"{name}:{before.times_again}" if before.times_again else name,
        workflow_id=run.workflow_id or "",
        current_step=step,
        step_index=VISIBLE_STEPS.index(step) + 1,
        total_steps=len(VISIBLE_STEPS),
        step_status=state,
        track_index=index,
        track_total=total if index is not None else None,
        percent=percent_of({*before.states, (step, index, state)}, total or 1),
    )


def _is_known_or_stale(known: set[State], state: State) -> bool:
    """Whether this or later news of the same is out; a retried step may still complete."""
    overtaken: Mapping[State, set[State]] = {
        "pending": {"in_progress", "completed", "failed"},
        "in_progress": {"completed"},
        "completed": set(),
        "failed": {"completed"},
    }
    return bool(known & {state, *overtaken[state]})


def _state_of(attempt: StepRun, *, has_ended: bool) -> State | None:
    if attempt.status == "completed":
        return "completed"
    if attempt.status in ("failed", "timed_out") and has_ended:
        return "failed"
    return "in_progress" if attempt.status == "running" and attempt.started else None

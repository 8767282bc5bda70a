"""What listeners have heard of a run's workflow, and what of it still stands.

A manual retry or rerun marks the log: what it names is published again from there on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from reflector_migrate.conductor.events import PipelineProgress
from reflector_migrate.model import VISIBLE_STEPS, Event
from reflector_migrate.store.events import AGAIN, News

State = Literal["pending", "in_progress", "completed", "failed"]
Part = tuple[str, int | None]
Key = tuple[str, int | None, State]

FAMILY = "progress:"
HARNESS = "harness"  # no channel: nobody is told of a mark
MARK = AGAIN.removeprefix(FAMILY).rstrip(":")


class Heard(NamedTuple):
    """News that still stand, in order; how many tracks there are; how often all began again."""

    told: tuple[PipelineProgress, ...]
    track_total: int | None
    times_again: int

    @property
    def states(self) -> set[Key]:
        """Every state that was published and still holds."""
        return {(*part_of(news), news.step_status) for news in self.told}

    def with_news(self, news: PipelineProgress) -> Heard:
        """As it is once these are out too."""
        total = self.track_total or news.track_total
        return self._replace(told=(*self.told, news), track_total=total)

    def states_of(self, part: Part) -> set[State]:
        """Those of one step, or of one track's part of it."""
        return {news.step_status for news in self.told if part_of(news) == part}


def heard(log: Iterable[Event], workflow_id: str) -> Heard:
    """What was heard of a workflow, by a run's messages of the family `progress:`."""
    told: list[PipelineProgress] = []
    track_total, times = None, 0
    for event in log:
        if event.event == MARK:
            times += 1
            is_ours = event.data["workflow_id"] == workflow_id
            over = {(step, index) for step, index in event.data["over"]} if is_ours else set()
            told = [news for news in told if part_of(news) not in over]
            continue
        news = PipelineProgress.model_validate(event.data)
        if news.workflow_id == workflow_id:
            told.append(news)
            track_total = track_total or news.track_total
    return Heard(tuple(told), track_total, times)


def workflows_of(log: Iterable[Event]) -> tuple[str, ...]:
    """Ids of the workflows that a run's messages are of, the latest first."""
    latest_first = [str(event.data["workflow_id"]) for event in log][::-1]
    return tuple(dict.fromkeys(latest_first))


def mark(before: Heard, workflow_id: str, from_step: str | None) -> News:
    """After which a step and all that follow are published again; without one, what has failed."""
    over = [*(_after(before.told, from_step) if from_step else _failed(before.told))]
    data: dict[str, Any] = {"workflow_id": workflow_id, "over": over}
    return News(f"{AGAIN}{before.times_again + 1}", HARNESS, {"event": MARK, "data": data})


def part_of(news: PipelineProgress) -> Part:
    """The step, or one track's part of it."""
    return news.current_step, news.track_index


def _after(told: Sequence[PipelineProgress], step: str) -> Iterator[Part]:
    again = VISIBLE_STEPS[VISIBLE_STEPS.index(step) :]
    parts = dict.fromkeys(map(part_of, told))
    return (part for part in parts if part[0] in again)


def _failed(told: Sequence[PipelineProgress]) -> Iterator[Part]:
    last = {part_of(news): news.step_status for news in told}
    return (part for part, state in last.items() if state == "failed")

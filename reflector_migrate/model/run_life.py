"""The life of a run: every state, who may move it, what bounds it, and where it goes then.

This table is the only place that says so. `store/runs.py` refuses every other change, and
docs/architecture.md prints the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RunState(StrEnum):
    """Where a candidate run is."""

    CLAIMED = "claimed"
    SNAPSHOTTING = "snapshotting"
    WAITING = "waiting"
    STARTING = "starting"
    STARTED = "started"
    SETTLING = "settling"
    OBSERVED = "observed"
    COMPARED = "compared"
    SKIPPED = "skipped"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Life:
    """One state. `bound` is a key of [shadow], counted from the run's time `clock`.

    `then` is where the run goes when that time is over. `to` lists every state that may
    follow. A state without `to` and without `bound` is an end.
    """

    state: RunState
    meaning: str
    mover: str
    cause: str
    to: tuple[RunState, ...] = ()
    bound: str = ""
    clock: str = ""
    then: RunState | None = None


_S = RunState
_LEASE = "the process that holds its lease"
_PERSON = "a person"

LIFE: tuple[Life, ...] = (
    Life(
        _S.CLAIMED, "announced; its identity is fixed, nothing has been read", _LEASE,
        "the dispatcher reads the primary's rows and decides",
        (_S.SNAPSHOTTING, _S.SKIPPED, _S.FAILED), "dispatch_wait_s", "failing_since", _S.FAILED,
    ),
    Life(
        _S.SNAPSHOTTING, "its inputs are being copied", _LEASE, "the copy is complete",
        (_S.WAITING, _S.FAILED), "dispatch_wait_s", "failing_since", _S.FAILED,
    ),
    Life(
        _S.WAITING, "its inputs are safe; it waits for a place in flight", "the place-giver",
        "a place is free",
        (_S.STARTING, _S.SKIPPED, _S.SUPERSEDED, _S.FAILED),
        "place_wait_s", "waiting_since", _S.FAILED,
    ),
    Life(
        _S.STARTING, "it has a place; its workflow is being started", _LEASE,
        "Conductor names the workflow",
        (_S.STARTED, _S.FAILED), "dispatch_wait_s", "failing_since", _S.FAILED,
    ),
    Life(
        _S.STARTED, "its workflow runs", _LEASE,
        "the workflow has ended, or a person's retry was refused",
        (_S.SETTLING, _S.SUPERSEDED, _S.FAILED, _S.OBSERVED, _S.COMPARED),
        "timeout_s", "started_at", _S.SETTLING,
    ),
    Life(
        _S.SETTLING, "its place is free; what both sides did is being observed", _LEASE,
        "every side is observed and stored",
        (_S.OBSERVED, _S.SUPERSEDED, _S.FAILED, _S.STARTED),
        "evidence_wait_s", "failing_since", _S.FAILED,
    ),
    Life(
        _S.OBSERVED, "the observations are stored; it waits to be judged", _LEASE,
        "the comparison is stored",
        (_S.COMPARED, _S.FAILED, _S.STARTED), "evidence_wait_s", "failing_since", _S.FAILED,
    ),
    Life(
        _S.COMPARED, "the end: a comparison is stored", _PERSON, "migrate retry or rerun",
        (_S.STARTED,),
    ),
    Life(_S.SKIPPED, "an end: not shadowed, for the reason given", "nobody", "nothing"),
    Life(
        _S.FAILED, "an end: no evidence, for the reason given", _PERSON,
        "migrate replay --failed, retry or rerun",
        (_S.CLAIMED, _S.WAITING, _S.SETTLING, _S.STARTED),
    ),
    Life(
        _S.SUPERSEDED, "an end: the primary ran again before it could be observed", "nobody",
        "nothing",
    ),
)  # fmt: skip

LIFE_OF = {row.state: row for row in LIFE}
ENDS = frozenset({_S.COMPARED, _S.SKIPPED, _S.FAILED, _S.SUPERSEDED})
OPEN = frozenset(RunState) - ENDS
IN_FLIGHT = frozenset({_S.STARTING, _S.STARTED})
"""States that hold one of the `shadow.max_in_flight` places."""

NEEDS_PLACES = OPEN - {_S.SETTLING, _S.OBSERVED}
"""States in which a run works with its tables, tracks and folder: an erased run has none."""


def is_step_of_life(before: str, after: str) -> bool:
    """Whether a run may go from one state to the other; staying is always allowed."""
    return before == after or RunState(after) in LIFE_OF[RunState(before)].to


def table() -> str:
    """The life of a run as a Markdown table."""
    head = "| state | meaning | who may move it | what moves it | bound | then | may go to |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *(_line(row) for row in LIFE)])


def _line(row: Life) -> str:
    bound = f"`shadow.{row.bound}` from `{row.clock}`" if row.bound else "-"
    then = row.then.value if row.then else "-"
    to = ", ".join(row.to) or "-"
    cells = (f"`{row.state}`", row.meaning, row.mover, row.cause, bound, then, to)
    return "| " + " | ".join(cells) + " |"

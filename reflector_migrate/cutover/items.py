"""A checklist item and its answer; an item that cannot be answered is pending, never passed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from reflector_migrate.harness import Harness
from reflector_migrate.model import Phase


class State(StrEnum):
    """How an item stands."""

    PASS = "pass"  # noqa: S105 - a state, not a password
    FAIL = "fail"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an item found: value against limit over n observations, and why.

    `numbers` are a line each, `recordings` those that the answer rests on, and `by_rules` the
    formula's numbers by the rules in force: for explain.
    Where a server did not answer, the check could not run: that is not a verdict.
    """

    state: State
    value: str = "-"
    limit: str = "-"
    n: int | None = None
    why: str = ""
    numbers: tuple[str, ...] = ()
    recordings: tuple[str, ...] = ()
    could_run: bool = True
    by_rules: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a phase.

    `asks` says what is looked at, `formula` when it passes, and `shown_by` which command shows
    the same facts: all for `checklist explain`.
    """

    phase: Phase
    name: str
    asks: str
    formula: str
    shown_by: str
    answer: Callable[[Harness], Answer]


@dataclass(frozen=True, slots=True)
class Line:
    """An item with its answer, numbered as shown."""

    number: int
    item: Item
    answer: Answer

    @property
    def formula(self) -> str:
        """When it passes, in words and by the rules in force."""
        by_rules = self.answer.by_rules
        return f"{self.item.formula}: {by_rules}" if by_rules else self.item.formula


def passed(
    value: str,
    limit: str = "-",
    n: int | None = None,
    why: str = "",
    *,
    recordings: tuple[str, ...] = (),
) -> Answer:
    """The evidence says yes."""
    return Answer(State.PASS, value, limit, n, why, recordings=recordings)


def failed(
    value: str,
    limit: str = "-",
    n: int | None = None,
    why: str = "",
    *,
    recordings: tuple[str, ...] = (),
) -> Answer:
    """The evidence says no."""
    return Answer(State.FAIL, value, limit, n, why, recordings=recordings)


def unreachable(why: str, limit: str = "-", value: str = "unreachable") -> Answer:
    """A server did not answer, or the store is not there: neither yes nor no."""
    return Answer(State.FAIL, value, limit, why=why, could_run=False)


def pending(
    why: str,
    value: str = "-",
    limit: str = "-",
    n: int | None = None,
    *,
    recordings: tuple[str, ...] = (),
) -> Answer:
    """There is no evidence yet."""
    return Answer(State.PENDING, value, limit, n, why, recordings=recordings)


def judged(
    is_met: bool,
    value: str,
    limit: str,
    n: int | None = None,
    why: str = "",
    *,
    recordings: tuple[str, ...] = (),
) -> Answer:
    """Passed or failed by one comparison."""
    state = State.PASS if is_met else State.FAIL
    return Answer(state, value, limit, n, why, recordings=recordings)

"""What a gate answers, as it is written to JSON; numbers are rounded away from opening a gate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Literal

from pydantic import Field

from reflector_migrate.model.frozen import Document, Frozen
from reflector_migrate.model.vocabulary import GateVerdict

MOST = 1e12
"""Wealth beyond this is written as this."""


class Decided(Frozen):
    """When a gate first decided: after how many recordings, and in which night."""

    n: int
    night: str


class Needs(Frozen):
    """What is still missing, at the pace of the nights so far; None where unknown."""

    recordings: int | None = None
    nights: int | None = None
    date: str | None = None


class Bounds(Frozen):
    """The true mean change, or rate, lies between these; each end is wrong at most 1 - confidence.

    It holds at every look, however often one looks. `mean` is that of the recordings seen.
    """

    low: float
    high: float
    mean: float | None
    unit: Literal["pp", "%"]
    confidence: float


class Clipped(Frozen):
    """Recordings beyond the bounds of a mean, and what the mean may be with them unclipped.

    `recordings` lay over the upper bound `at`, `under` of them under the lower one, -`at`.
    mean_at_most_pp is None where nothing bounds what was clipped: of a ratio.
    """

    recordings: int
    under: int
    at: float
    unit: Literal["pp", "%"]
    share_at_most: float
    mean_at_most_pp: float | None


class GateAnswer(Frozen):
    """One gate on one stratum of one pair of builds: value against limit over n recordings.

    cohort is the place of its evidence among the run's cohorts, counted from 0;
    since is the night from which the state has stood, first_decided the first decision.
    """

    gate: str
    layer: str
    stratum: str
    state: GateVerdict
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    margin: float | None = None
    n: int = 0
    bounds: Bounds | None = None
    clipped: Clipped | None = None
    waived: int = 0
    since: str = ""
    first_decided: Decided | None = None
    why: str = ""
    needs: Needs | None = None
    is_report_only: bool = False
    builds: Mapping[str, str] = Field(default_factory=dict)
    cohort: int = 0


class Cohort(Frozen):
    """Lines that were judged together, and the worst state of their gates."""

    builds: Mapping[str, str]
    configuration: str
    models: str
    normaliser: str
    origin: str
    defects: tuple[str, ...]
    recordings: int
    nights: int
    state: GateVerdict


class GateRun(Document):
    """Every gate of every cohort (migrate.gate/1); `excluded` counts lines by why they are out."""

    schema_: Literal["migrate.gate/1"] = Field(default="migrate.gate/1", alias="schema")
    ok: bool
    state: GateVerdict
    exit_code: int
    rules: str
    excluded: Mapping[str, int]
    cohorts: tuple[Cohort, ...]
    gates: tuple[GateAnswer, ...]


class Pace(Frozen):
    """How many recordings came in how many nights, and the last of these."""

    recordings: int = 0
    nights: int = 0
    last_night: str = ""


def worst(states: Iterable[GateVerdict]) -> GateVerdict:
    """FAIL before INCONCLUSIVE before PASS; of no gates at all, INCONCLUSIVE."""
    order = (GateVerdict.FAIL, GateVerdict.INCONCLUSIVE, GateVerdict.PASS)
    return min(states, key=order.index, default=GateVerdict.INCONCLUSIVE)


def rounded_down(value: float, digits: int = 2) -> float:
    """Never above the value, so that a limit not reached is not shown as reached."""
    scale = 10.0**digits
    return math.floor(min(max(value, -MOST), MOST) * scale) / scale


def rounded_up(value: float, digits: int = 2) -> float:
    """Never below the value."""
    return -rounded_down(-value, digits)


def projected(recordings: int | None, pace: Pace) -> Needs:
    """So many recordings more, as nights and as a date."""
    if recordings is None or not pace.recordings:
        return Needs(recordings=recordings)
    nights = math.ceil(recordings * pace.nights / pace.recordings)
    last = date.fromisoformat(pace.last_night)
    return Needs(
        recordings=recordings,
        nights=nights,
        date=(last + timedelta(days=nights)).isoformat() if nights < 10_000 else None,
    )

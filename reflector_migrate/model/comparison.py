"""What the judge says of two accounts: checks, the step to blame, and the verdict.

One comparison is the document that reports render and files keep.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from reflector_migrate.model.frozen import Document, Frozen
from reflector_migrate.model.measure import Measure
from reflector_migrate.model.observation import StepRun
from reflector_migrate.model.privacy import Public
from reflector_migrate.model.vocabulary import Engine, Role, Verdict


class Check(Frozen):
    """A measure as judged: value against floor and limit, by a named rule."""

    name: Public
    verdict: Verdict
    rule: Public
    measure: Measure | None = None
    value: float | None = None
    floor: float | None = None
    limit: float | None = None
    n: int = 0
    between_legacy: float | None = None  # d(L1, L2), where a secondary ran
    from_secondary: float | None = None  # d(L2, C)
    excess: float | None = None  # x = (d(L1, C) + d(L2, C)) / 2 - d(L1, L2)
    shift: float | None = None  # 2 d(L, C) - d(L1, L2) - d(C1, C2), where two candidates ran
    waived: int = 0  # findings that a waiver covers
    improved: int = 0  # findings that are a known legacy defect put right
    note: str = ""
    traceback: str | None = None


class Blame(Frozen):
    """The first step whose output differs although its inputs agree."""

    step: Public
    why: str
    track_index: int | None = None


class Side(Frozen):
    """Who ran, shown beside its results; steps feed the waterfall."""

    role: Role
    engine: Engine
    build: Public = "unknown"
    status: Public = "missing"
    started: datetime | None = None
    ended: datetime | None = None
    error: str | None = None
    steps: tuple[StepRun, ...] = ()
    cost_microdollars: int | None = None


class Turn(Frozen):
    """A stretch of word diff: git's word-diff marks, the speaker and the time of its start."""

    at_s: float
    speaker: int | None
    speaker_name: str = ""
    reference_text: str = ""
    hypothesis_text: str = ""
    diff: tuple[tuple[Literal["equal", "delete", "insert"], str], ...] = ()


class Comparison(Document):
    """Two accounts of one recording, compared and judged (comparison/1)."""

    schema_: Literal["comparison/1"] = Field(default="comparison/1", alias="schema")
    recording: Public
    title: str = ""
    run_id: Public = ""
    compared_at: datetime | None = None
    duration_s: float | None = None
    track_count: int | None = None
    language: Public | None = None
    primary: Side
    candidate: Side
    secondary: Side | None = None
    verdict: Verdict
    checks: tuple[Check, ...] = ()
    first_divergent_step: Blame | None = None
    turns: tuple[Turn, ...] = ()
    noise_pairs: int = 0
    normaliser: Public = ""
    configuration: Public = ""  # digest of the settings that can change an output
    models: Public = ""  # of recogniser and language model
    origin: Literal["", "deployment", "replayed", "sandbox"] = ""
    defects: tuple[Public, ...] = ()  # switched on in this run's candidate
    series: Public = ""  # digest of the room: its meetings resemble one another
    plugin_errors: int | None = None  # in the primary's worker, while this recording ran
    plugin_share: float | None = None  # of the primary's run time that the plugin took itself
    primary_run_s: float | None = None  # of its pipeline's task, as the plugin timed it
    notes: tuple[str, ...] = ()

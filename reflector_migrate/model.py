"""The nouns: what was run, what it produced, how far two accounts of it lie apart.

Nothing of ours is imported here. Observations and comparisons cross files and
machines, so they are frozen pydantic models with a version; unknown fields are
ignored, missing ones named.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

OBSERVATION_SCHEMA = "observation/1"
COMPARISON_SCHEMA = "comparison/1"
EVIDENCE_SCHEMA = "evidence/1"

STEP_NAMES: tuple[str, ...] = (
    "get_recording",
    "get_participants",
    "generate_dynamic_fork_tasks",
    "pad_track",
    "mixdown_tracks",
    "generate_waveform",
    "transcribe_track",
    "merge_transcripts",
    "detect_topics",
    "generate_title",
    "generate_summary",
    "finalize",
    "cleanup_consent",
    "post_zulip",
    "send_webhook",
)
"""The requirements' fifteen steps in the order in which they first run."""

VISIBLE_STEPS: tuple[str, ...] = tuple(s for s in STEP_NAMES if s != "generate_dynamic_fork_tasks")
"""The fourteen steps a person is shown progress for."""


class Role(StrEnum):
    """What a run is for; never says which engine executed it."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    CANDIDATE = "candidate"


class Engine(StrEnum):
    """What executed a run."""

    CELERY = "celery"
    CONDUCTOR = "conductor"
    RECORDED = "recorded"


class Route(StrEnum):
    """Who serves a recording."""

    CELERY = "celery"
    CELERY_SHADOW = "celery+shadow"
    CONDUCTOR_FALLBACK = "conductor+fallback"
    CONDUCTOR = "conductor"


class Verdict(StrEnum):
    """Of one recording, or of one check on it; worst first."""

    DIVERGED = "DIVERGED"
    ERRORED = "ERRORED"
    INCONCLUSIVE = "INCONCLUSIVE"
    WAIVED = "WAIVED"
    WITHIN_NOISE = "WITHIN_NOISE"
    MATCHED = "MATCHED"

    @classmethod
    def worst(cls, verdicts: list[Verdict]) -> Verdict:
        """The worst of them; nothing compared is INCONCLUSIVE, never a match."""
        order = list(cls)
        return min(verdicts, key=order.index) if verdicts else cls.INCONCLUSIVE


class GateVerdict(StrEnum):
    """Of a cohort of recordings."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


class Phase(StrEnum):
    """Of the migration, in order."""

    INFRASTRUCTURE = "infrastructure"
    PARALLEL = "parallel"
    SHADOW = "shadow"
    CUTOVER = "cutover"
    CLEANUP = "cleanup"


class Severity(StrEnum):
    """How much a finding matters to someone who reads the transcript."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class Frozen(BaseModel):
    """A fact: cannot be changed, tolerates fields it does not know; its numbers are numbers."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Usage(Frozen):
    """What a step consumed; adds up over attempts, tracks and recordings.

    llm_tokens_per_call: (in, out) of each call, in the order of their answers.
    """

    gpu_seconds: float = 0.0
    gpu_seconds_estimated: bool = False
    llm_calls: int = 0
    llm_tokens_in: int = 0
    llm_tokens_out: int = 0
    llm_tokens_per_call: tuple[tuple[int, int], ...] = ()
    s3_bytes: int = 0
    s3_requests: int = 0
    external_calls: int = 0
    retries: int = 0
    cache_hits: int = 0
    saved_gpu_seconds: float = 0.0
    saved_llm_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Field by field; estimated if either is."""
        mine, theirs = self.model_dump(), other.model_dump()
        return Usage(**{k: (v or theirs[k]) if v is True or v is False else v + theirs[k]
                        for k, v in mine.items()})  # fmt: skip


class StepRun(Frozen):
    """One attempt of one step by one engine.

    `timed` says where the times come from; an unknown one is never compared.
    Digests are SHA-256 over the canonical JSON (RFC 8785) of the semantic fields, None
    where a side has none. References say where input and output are kept.
    `derived`: a digest of each thing the step left in row and events, named; any
    deployment has these, and they are read alike on both sides.
    """

    name: str
    track_index: int | None = None
    attempt: int = 1
    queued: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    timed: Literal["measured", "derived", "unknown"] = "unknown"
    status: Literal["completed", "failed", "timed_out", "skipped", "running", "cancelled"] = (
        "completed"
    )
    worker: str | None = None
    build: str | None = None
    usage: Usage = Usage()
    input_digest: str | None = None
    output_digest: str | None = None
    input_ref: str | None = None
    output_ref: str | None = None
    derived: Mapping[str, str] = Field(default_factory=dict)
    error: str | None = None


class Word(Frozen):
    """One recognised word; text exactly as received, seconds from the meeting's start."""

    text: str
    start: float
    end: float
    speaker: int = 0


class Topic(Frozen):
    """A stretch of the meeting about one thing; timestamp in seconds."""

    id: str = ""
    title: str
    summary: str
    timestamp: float
    duration: float | None = None
    transcript: str = ""
    words: tuple[Word, ...] = ()


class Participant(Frozen):
    """A person in the meeting; `speaker` is the index of their track."""

    id: str = ""
    speaker: int | None = None
    name: str = ""
    user_id: str | None = None


class Event(Frozen):
    """A message of the pipeline to its listeners, or one kept in the row."""

    event: str
    data: Mapping[str, Any] = Field(default_factory=dict)
    channel: str | None = None
    at: datetime | None = None
    stored: bool = True


class Effect(Frozen):
    """Something done, or recorded instead of done, to the world outside the pipeline.

    kind: zulip_message | zulip_update | webhook | s3_put | s3_delete | local_delete.
    key: what identifies it within a recording (S3 key, webhook event, Zulip topic).
    """

    kind: str
    key: str
    count: int = 1
    suppressed: bool = False
    payload: Mapping[str, Any] = Field(default_factory=dict)
    sha256: str | None = None
    size_bytes: int | None = None
    at: datetime | None = None


class Outputs(Frozen):
    """Everything a reader of the finished transcript could see."""

    participants: tuple[Participant, ...] = ()
    duration_ms: float | None = None
    waveform: tuple[float, ...] | None = None
    words: tuple[Word, ...] = ()
    topics: tuple[Topic, ...] = ()
    title: str | None = None
    short_summary: str | None = None
    long_summary: str | None = None
    webvtt: str | None = None
    row: Mapping[str, Any] = Field(default_factory=dict)


class Observation(Frozen):
    """One engine's account of one recording (observation/1)."""

    schema_: Literal["observation/1"] = Field(default="observation/1", alias="schema")
    recording: str
    run_id: str = ""
    role: Role
    engine: Engine
    build: str = "unknown"
    started: datetime | None = None
    ended: datetime | None = None
    status: Literal["completed", "failed", "timed_out", "running", "missing"]
    error: str | None = None
    language: str | None = None
    track_count: int | None = None
    steps: tuple[StepRun, ...] = ()
    outputs: Outputs = Outputs()
    events: tuple[Event, ...] = ()
    effects: tuple[Effect, ...] = ()
    notes: tuple[str, ...] = ()

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Finding(Frozen):
    """One difference, where it is and which step is answerable for it.

    position counts in the list the path names (words, captions, topics, points),
    on the side that has it; at_s is the time in the recording.
    """

    path: str
    step: str | None = None
    severity: Severity = Severity.MAJOR
    kind: str = "changed"  # changed | missing | extra | moved | reordered
    reference: Any = None
    hypothesis: Any = None
    at_s: float | None = None
    position: int | None = None
    speaker: int | None = None
    message: str = ""
    waiver: str = ""  # who allowed it and why; a waived finding stays visible


class Measure(Frozen):
    """Counts of how far a hypothesis lies from its reference; rates are read, never stored.

    kind: exact measures are equal or not; graded ones have a divergence in
    [0, 1]; informational ones (timing, cost) never enter a recording's verdict.
    errors / length is the divergence; an empty length has none.
    `counts` adds field by field when measures of several recordings are summed.
    `stats` (medians, slopes, spans) belong to one recording and are dropped by a sum.
    `inconclusive` says why nothing can be concluded (say, an unsupported language).
    `normaliser` names the reading of text it rests on; others' counts are not mixed with it.
    """

    name: str
    kind: Literal["exact", "graded", "informational"]
    errors: float = 0
    length: float = 0
    counts: Mapping[str, float] = Field(default_factory=dict)
    reference_text: str = ""
    hypothesis_text: str = ""
    note: str = ""
    step: str | None = None
    findings: tuple[Finding, ...] = ()
    findings_truncated: int = 0
    stats: Mapping[str, float] = Field(default_factory=dict)
    inconclusive: str = ""
    normaliser: str = ""

    @classmethod
    def zero(cls) -> Measure:
        """The start of a sum: no errors over no length."""
        return cls(name="", kind="graded")

    def __add__(self, other: Measure) -> Measure:
        """Counts of both together; findings, texts and stats stay with their recordings."""
        counts = {
            key: self.counts.get(key, 0) + other.counts.get(key, 0)
            for key in {**self.counts, **other.counts}
        }
        return Measure(
            name=self.name or other.name,
            kind=self.kind if self.name else other.kind,
            errors=self.errors + other.errors,
            length=self.length + other.length,
            counts=counts,
            step=self.step or other.step,
            normaliser=self.normaliser or other.normaliser,
        )

    @property
    def divergence(self) -> float | None:
        """errors / length in [0, 1]; None when there was nothing to measure."""
        return self.errors / self.length if self.length else None


class Check(Frozen):
    """A measure as judged: value against floor and limit, by a named rule."""

    name: str
    verdict: Verdict
    rule: str
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

    step: str
    why: str
    track_index: int | None = None


class Side(Frozen):
    """Who ran, shown beside its results; steps feed the waterfall."""

    role: Role
    engine: Engine
    build: str = "unknown"
    status: str = "missing"
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


class Comparison(Frozen):
    """Two accounts of one recording, compared and judged (comparison/1)."""

    schema_: Literal["comparison/1"] = Field(default="comparison/1", alias="schema")
    recording: str
    title: str = ""
    run_id: str = ""
    compared_at: datetime | None = None
    duration_s: float | None = None
    track_count: int | None = None
    language: str | None = None
    primary: Side
    candidate: Side
    secondary: Side | None = None
    verdict: Verdict
    checks: tuple[Check, ...] = ()
    first_divergent_step: Blame | None = None
    turns: tuple[Turn, ...] = ()
    noise_pairs: int = 0
    normaliser: str = ""
    notes: tuple[str, ...] = ()

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class EvidenceLine(Frozen):
    """What one measure of one recording tells a gate (evidence/1).

    One of three says it: x_pp, the excess of a graded measure in percentage
    points; exact_findings, how many unwaived ones; catastrophe, which one.
    """

    schema_: Literal["evidence/1"] = Field(default="evidence/1", alias="schema")
    recording: str
    night: str
    stratum: str
    measure: str
    x_pp: float | None = None
    exact_findings: int | None = None
    catastrophe: str | None = None
    builds: Mapping[str, str] = Field(default_factory=dict)
    normaliser: str = ""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    @model_validator(mode="after")
    def _says_one_thing(self) -> EvidenceLine:
        """Nothing said is no evidence, and two things said cannot be gated."""
        said = (self.x_pp, self.exact_findings, self.catastrophe)
        if sum(value is not None for value in said) != 1:
            raise ValueError("one of x_pp, exact_findings and catastrophe is needed")
        return self

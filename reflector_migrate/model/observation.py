"""One engine's account of one recording: who ran, step by step, what it cost and left behind.

It crosses files and machines, so it names its version; a reader ignores fields it does
not know and names those it misses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from reflector_migrate.model.frozen import Document, Frozen, Instant
from reflector_migrate.model.outputs import Effect, Event, Outputs
from reflector_migrate.model.privacy import Public
from reflector_migrate.model.vocabulary import Engine, Role


class Usage(Frozen):
    """What a step consumed; adds up over attempts, tracks and recordings.

    llm_tokens_per_call: (in, out) of each call, in the order of their answers.
    is_partial: more was used, and how much is unknown. An attempt was cut short, and this is what
    it had used when it last reported; or a service did not say what it used.
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
    is_partial: bool = False

    def __add__(self, other: Usage) -> Usage:
        """Field by field; estimated, or partial, if either is."""
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
    `processors` is the build of the primary's own code, where that did the step's work.
    `cause` says why an attempt failed where that may not be the step's own doing: `outage`, a
    database of the harness's was away to its end; `passing`, a server did not do its part.
    """

    name: Public
    track_index: int | None = None
    attempt: int = 1
    queued: Instant | None = None
    started: Instant | None = None
    ended: Instant | None = None
    timed: Literal["measured", "derived", "unknown"] = "unknown"
    status: Literal["completed", "failed", "timed_out", "skipped", "running", "cancelled"] = (
        "completed"
    )
    worker: str | None = None
    build: Public | None = None
    processors: Public | None = Field(default=None, exclude_if=lambda build: build is None)
    usage: Usage = Usage()
    input_digest: str | None = None
    output_digest: str | None = None
    input_ref: str | None = None
    output_ref: str | None = None
    derived: Mapping[str, str] = Field(default_factory=dict)
    error: str | None = None
    cause: Literal["outage", "passing"] | None = Field(
        default=None, exclude_if=lambda cause: cause is None
    )


class Observation(Document):
    """One engine's account of one recording (observation/1)."""

    schema_: Literal["observation/1"] = Field(default="observation/1", alias="schema")
    recording: str
    run_id: str = ""
    role: Role
    engine: Engine
    build: str = "unknown"
    started: Instant | None = None
    ended: Instant | None = None
    status: Literal["completed", "failed", "timed_out", "running", "missing"]
    error: str | None = None
    language: str | None = None
    track_count: int | None = None
    steps: tuple[StepRun, ...] = ()
    outputs: Outputs = Outputs()
    events: tuple[Event, ...] = ()
    effects: tuple[Effect, ...] = ()
    notes: tuple[str, ...] = ()

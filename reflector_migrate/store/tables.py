"""Our tables. Evidence and audit rows are only ever added.

SCHEMA_VERSION history
1: runs, artifacts, task_cache, effects, step_runs, events, spans,
   observations, comparisons, dispatches, audit
2: secondaries, legacy_pairs
3: later_comparisons
4: gists (in gists.py)
5: a run's lease, clocks and inputs; observations by go
6: when a run's places were erased
7: gate_lines
8: heartbeats
9: what either run of a pair would exceed the others by
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

SCHEMA_VERSION = 8

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


def _at(name: str = "at") -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False)


runs = Table(
    "runs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("claim", String(200), nullable=False, unique=True),
    Column("recording_id", String(200), nullable=False, index=True),
    Column("transcript_id", String(64), nullable=False, index=True),
    Column("namespace", String(16), nullable=False),
    Column("build", String(64), nullable=False),
    Column("state", String(24), nullable=False, index=True),
    Column("reason", Text),
    Column("workflow_id", String(64)),
    Column("primary_task_id", String(64)),
    Column("request", JSON, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("owner", String(64)),
    Column("lease_until", DateTime(timezone=True)),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_at", DateTime(timezone=True)),
    Column("failing_since", DateTime(timezone=True)),
    Column("waiting_since", DateTime(timezone=True)),
    Column("started_at", DateTime(timezone=True)),
    Column("inputs", JSON, nullable=False, server_default="{}"),
    Column("is_reopenable", Boolean, nullable=False, server_default=false()),
    Column("erase_at", DateTime(timezone=True)),
    Column("erased_at", DateTime(timezone=True)),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("ref", String(300), primary_key=True),
    Column("run_id", String(64), nullable=False, index=True),
    Column("sha256", String(64), nullable=False),
    Column("count", Integer, nullable=False),
    Column("value", Text, nullable=False),
    _at("created_at"),
)

task_cache = Table(
    "task_cache",
    metadata,
    Column("key", String(128), primary_key=True),
    Column("value", Text, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("expires_s", Float, nullable=False, index=True),
)

effects = Table(
    "effects",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("key", String(500), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("sha256", String(64)),
    Column("size_bytes", Integer),
    _at(),
    UniqueConstraint("run_id", "kind", "key"),
)

step_runs = Table(
    "step_runs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("body", JSON, nullable=False),
    _at(),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False),
    Column("key", String(200), nullable=False),
    Column("channel", String(200), nullable=False),
    Column("message", JSON, nullable=False),
    _at(),
    UniqueConstraint("run_id", "key"),
)

spans = Table(
    "spans",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("transcript_id", String(64), nullable=False, index=True),
    Column("task_id", String(64), nullable=False, unique=True),
    Column("body", JSON, nullable=False),
    _at(),
)

observations = Table(
    "observations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("recording_id", String(200), nullable=False, index=True),
    Column("body", Text, nullable=False),
    _at(),
    Column("go", Integer, nullable=False, server_default="0"),
    UniqueConstraint("run_id", "role", "go"),
)

comparisons = Table(
    "comparisons",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False, unique=True),
    Column("recording_id", String(200), nullable=False, index=True),
    Column("night", String(10), nullable=False, index=True),
    Column("verdict", String(16), nullable=False, index=True),
    Column("body", Text, nullable=False),
    _at(),
)

gate_lines = Table(
    "gate_lines",
    metadata,
    Column("comparison_id", ForeignKey("comparisons.id", ondelete="CASCADE"), primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

later_comparisons = Table(
    "later_comparisons",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False, index=True),
    Column("recording_id", String(200), nullable=False, index=True),
    Column("verdict", String(16), nullable=False),
    Column("body", Text, nullable=False),
    Column("sides", JSON, nullable=False),
    _at(),
)
"""Of runs that were retried or run again after their first one, which stands beside it."""

secondaries = Table(
    "secondaries",
    metadata,
    Column("root_id", String(64), primary_key=True),
    Column("secondary_root_id", String(64), nullable=False, unique=True),
    Column("recording_id", String(200), nullable=False, index=True),
    Column("came_first", String(16), nullable=False),
    _at(),
)

legacy_pairs = Table(
    "legacy_pairs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("recording_id", String(200), nullable=False, index=True),
    Column("conditions", String(64), nullable=False, index=True),
    Column("told", JSON, nullable=False),
    Column("stratum", String(200), nullable=False),
    Column("came_first", String(16), nullable=False),
    Column("divergences", JSON, nullable=False),
    Column("candidate_build", String(64)),
    Column("exchanged", JSON),
    _at(),
)

dispatches = Table(
    "dispatches",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("recording_id", String(200), nullable=False, index=True),
    Column("run_id", String(64)),
    Column("outcome", String(24), nullable=False),
    Column("reason", Text),
    _at(),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("body", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    _at(),
)

Index("ix_effects_run", effects.c.run_id)
Index("ix_events_run", events.c.run_id)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", String(64), primary_key=True),
    _at(),
)

"""The primary's engine run a second time, and how far its two runs lie apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "secondaries",
        sa.Column("root_id", sa.String(length=64), nullable=False),
        sa.Column("secondary_root_id", sa.String(length=64), nullable=False),
        sa.Column("recording_id", sa.String(length=200), nullable=False),
        sa.Column("came_first", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("root_id", name=op.f("pk_secondaries")),
        sa.UniqueConstraint("secondary_root_id", name=op.f("uq_secondaries_secondary_root_id")),
    )
    op.create_table(
        "legacy_pairs",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("recording_id", sa.String(length=200), nullable=False),
        sa.Column("conditions", sa.String(length=64), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("stratum", sa.String(length=200), nullable=False),
        sa.Column("came_first", sa.String(length=16), nullable=False),
        sa.Column("divergences", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_legacy_pairs")),
    )
    for table, column in _INDEXES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.create_index(op.f(f"ix_{table}_{column}"), [column], unique=False)


def downgrade() -> None:
    """Go back."""
    for table, column in _INDEXES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_index(op.f(f"ix_{table}_{column}"))
    op.drop_table("legacy_pairs")
    op.drop_table("secondaries")


_INDEXES = (
    ("secondaries", "recording_id"),
    ("legacy_pairs", "recording_id"),
    ("legacy_pairs", "conditions"),
)

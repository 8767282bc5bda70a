"""What a run was found to be after it was retried or run again manually."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "later_comparisons",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("recording_id", sa.String(length=200), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sides", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_later_comparisons")),
    )
    with op.batch_alter_table("later_comparisons", schema=None) as batch_op:
        for column in _INDEXED:
            batch_op.create_index(op.f(f"ix_later_comparisons_{column}"), [column], unique=False)


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("later_comparisons", schema=None) as batch_op:
        for column in _INDEXED:
            batch_op.drop_index(op.f(f"ix_later_comparisons_{column}"))
    op.drop_table("later_comparisons")


_INDEXED = ("run_id", "recording_id")

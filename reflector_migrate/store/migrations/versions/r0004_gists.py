"""What a night counts of each comparison, in columns; `upgrade` fills them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "gists",
        sa.Column("comparison_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("recording", sa.String(length=200), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("duration_s", sa.Float(), nullable=True),
        sa.Column("tracks", sa.Integer(), nullable=True),
        sa.Column("step", sa.Text(), nullable=False),
        *_side("primary"),
        *_side("candidate"),
        sa.Column("secondary_engine", sa.String(length=16), nullable=True),
        sa.Column("secondary_build", sa.Text(), nullable=True),
        sa.Column("checks", sa.Text(), nullable=False),
        sa.Column("signs", sa.Text(), nullable=False),
        *_counts("against", "exact", "critical", "floorless"),
        sa.Column("words", sa.Float(), nullable=True),
        sa.Column("speaker_words", sa.Float(), nullable=True),
        sa.Column("graded", sa.Text(), nullable=False),
        sa.Column("grades", sa.LargeBinary(), nullable=False),
        sa.Column("used", sa.LargeBinary(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["comparison_id"],
            ["comparisons.id"],
            name=op.f("fk_gists_comparison_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("comparison_id", name=op.f("pk_gists")),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("gists")


def _side(role: str) -> Iterator[sa.Column[Any]]:
    yield sa.Column(f"{role}_engine", sa.String(length=16), nullable=False)
    yield sa.Column(f"{role}_build", sa.Text(), nullable=False)
    yield sa.Column(f"{role}_status", sa.Text(), nullable=False)
    yield sa.Column(f"{role}_s", sa.Float(), nullable=True)
    yield sa.Column(f"{role}_cost", sa.BigInteger(), nullable=True)


def _counts(*names: str) -> Iterator[sa.Column[Any]]:
    return (sa.Column(name, sa.Integer(), nullable=False) for name in names)

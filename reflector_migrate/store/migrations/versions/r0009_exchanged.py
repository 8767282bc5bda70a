"""What either legacy run of a pair would exceed the others by, taken for the candidate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("legacy_pairs", sa.Column("candidate_build", sa.String(length=64)))
    op.add_column("legacy_pairs", sa.Column("exchanged", sa.JSON()))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("legacy_pairs") as table:
        table.drop_column("exchanged")
        table.drop_column("candidate_build")

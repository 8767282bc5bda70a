"""When it was decided to erase a run's places, and when nothing of it was left there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("erase_at", "erased_at")


def upgrade() -> None:
    """Go forward: of the runs there are, none is known to be erased."""
    with op.batch_alter_table("runs") as runs:
        for name in _COLUMNS:
            runs.add_column(sa.Column(name, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("runs") as runs:
        for name in _COLUMNS:
            runs.drop_column(name)

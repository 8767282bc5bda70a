"""A run's lease, clocks and inputs; an identity without a build; observations kept by go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go forward: runs that waited are dispatched again, under an identity without a build."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
        runs.add_column(sa.Column("owner", sa.String(length=64), nullable=True))
        runs.add_column(sa.Column("lease_until", _AT, nullable=True))
        runs.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
        runs.add_column(sa.Column("next_at", _AT, nullable=True))
        runs.add_column(sa.Column("failing_since", _AT, nullable=True))
        runs.add_column(sa.Column("waiting_since", _AT, nullable=True))
        runs.add_column(sa.Column("started_at", _AT, nullable=True))
        runs.add_column(sa.Column("inputs", sa.JSON(), nullable=False, server_default="{}"))
        runs.add_column(
            sa.Column("is_reopenable", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("observations") as observations:
        observations.add_column(sa.Column("go", sa.Integer(), nullable=False, server_default="0"))
        observations.drop_constraint("uq_observations_run_id_role", type_="unique")
        observations.create_unique_constraint(
            "uq_observations_run_id_role_go", ["run_id", "role", "go"]
        )
    op.execute("UPDATE runs SET state = 'claimed' WHERE state = 'snapshotted'")
    op.execute("UPDATE runs SET started_at = updated_at WHERE workflow_id IS NOT NULL")
    _drop_builds_from_claims()


def downgrade() -> None:
    """Go back."""
    op.execute("DELETE FROM observations WHERE go > 0")
    with op.batch_alter_table("observations") as observations:
        observations.drop_constraint("uq_observations_run_id_role_go", type_="unique")
        observations.create_unique_constraint("uq_observations_run_id_role", ["run_id", "role"])
        observations.drop_column("go")
    op.execute("UPDATE runs SET state = 'claimed' WHERE state IN ('snapshotting', 'waiting')")
    op.execute("UPDATE runs SET state = 'started' WHERE state IN ('settling', 'observed')")
    op.execute("UPDATE runs SET state = 'failed' WHERE state IN ('starting', 'superseded')")
    with op.batch_alter_table("runs") as runs:
        for name in _COLUMNS:
            runs.drop_column(name)


_COLUMNS = (
    "version", "owner", "lease_until", "tries", "next_at", "failing_since", "waiting_since",
    "started_at", "inputs", "is_reopenable",
)  # fmt: skip


def _drop_builds_from_claims() -> None:
    """The oldest run of one execution of the primary's task keeps the claim of that task."""
    runs = sa.table(
        "runs", sa.column("run_id"), sa.column("claim"), sa.column("build"), sa.column("created_at")
    )
    connection = op.get_bind()
    found = connection.execute(sa.select(runs).order_by(runs.c.created_at)).all()
    taken = {row.claim for row in found}
    for row in found:
        claim = row.claim.removesuffix(f":{row.build}")
        if claim not in taken:
            taken.add(claim)
            connection.execute(
                sa.update(runs).where(runs.c.run_id == row.run_id).values(claim=claim)
            )

"""What each comparison says to the gates: made of its document once, and read from here then.

The lines are JSON, an array for each comparison. Lines of another version are not there for their
reader, who rebuilds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import and_, select

from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.gists import portions
from reflector_migrate.store.tables import comparisons, gate_lines
from reflector_migrate.store.upsert import replace


class GateLines:
    """The lines of first comparisons, by run."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def of(self, run_ids: Sequence[str], version: int) -> dict[str, str]:
        """Run -> its lines, of those that have this version."""
        is_own = and_(  # SQLite gives an id anew after its row is gone
            gate_lines.c.comparison_id == comparisons.c.id,
            gate_lines.c.run_id == comparisons.c.run_id,
        )
        query = select(gate_lines.c.run_id, gate_lines.c.body).join(comparisons, is_own)
        query = query.where(gate_lines.c.version == version)
        found: dict[str, str] = {}
        with reading(self._url) as connection:
            for some in portions(run_ids):
                rows = connection.execute(query.where(gate_lines.c.run_id.in_(some)))
                found.update((run_id, body) for run_id, body in rows)
        return found

    def keep(self, made: Mapping[str, str], version: int) -> None:
        """Keep the lines of these runs; a comparison that is gone keeps none."""
        query = select(comparisons.c.id, comparisons.c.run_id)
        for some in portions(list(made)):
            with writing(self._url) as connection:
                rows = connection.execute(query.where(comparisons.c.run_id.in_(some))).all()
                for place, run_id in rows:
                    row = {"run_id": run_id, "version": version, "body": made[run_id]}
                    replace(connection, gate_lines, comparison_id=place, **row)

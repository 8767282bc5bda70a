"""Step runs as the workers themselves measured them."""

from __future__ import annotations

from sqlalchemy import select

from reflector_migrate.model import StepRun
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.tables import step_runs


class StepLog:
    """Step runs by run; only ever added."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def add(self, run_id: str, step: StepRun) -> None:
        """Append one attempt of one step."""
        body = step.model_dump(mode="json")
        with writing(self._url) as connection:
            row = {"run_id": run_id, "name": step.name, "body": body, "at": now()}
            connection.execute(step_runs.insert().values(**row))

    def of(self, run_id: str) -> tuple[StepRun, ...]:
        """Every attempt of a run, in the order of recording."""
        query = select(step_runs.c.body).where(step_runs.c.run_id == run_id)
        with reading(self._url) as connection:
            bodies = connection.scalars(query.order_by(step_runs.c.id)).all()
        return tuple(StepRun.model_validate(body) for body in bodies)

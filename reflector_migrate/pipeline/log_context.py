"""Which step of which run a log line is about: a step logs what happened, this adds to whom."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from reflector_migrate.pipeline.contracts import Run

FORMAT = "%(asctime)s %(process)d %(name)s %(levelname)s %(message)s%(about)s"
_about: ContextVar[str] = ContextVar("about", default="")


class About(logging.Filter):
    """Gives each record `about`: ` step=… transcript=… run=…` inside a step, else nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record pass."""
        record.about = _about.get()
        return True


@contextmanager
def about(step: str, run: Run) -> Iterator[None]:
    """What is logged inside the block is about this step of this run."""
    token = _about.set(f" step={step} transcript={run.transcript_id} run={run.run_id}")
    try:
        yield
    finally:
        _about.reset(token)

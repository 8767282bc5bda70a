"""Where a step keeps unfinished files: with their transcript, so that they go when it ends.

A step that is killed removes nothing, and what it leaves is sound that a participant
may have refused to have stored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from reflector_migrate.errors import StepError
from reflector_migrate.pipeline.context import StepContext

log = logging.getLogger(__name__)

WORK = "work"


@contextmanager
def working(ctx: StepContext) -> Iterator[Path]:
    """A folder of this attempt's own, on the data folder's disk; gone at the end."""
    home = ctx.local(WORK)
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=home) as folder:
        yield Path(folder)


def clear(ctx: StepContext) -> None:
    """Remove what any attempt left; raises OSError when that is not possible."""
    ctx.effects.discard(ctx.local(WORK))


def tidy(ctx: StepContext) -> None:
    """The same for those who have more important things to do."""
    try:
        clear(ctx)
    except (StepError, OSError) as error:
        log.warning("unfinished files stay behind: %s", error)

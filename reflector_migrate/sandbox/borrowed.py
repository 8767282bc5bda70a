"""The sandbox that a command works in: the one that runs here, or one of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reflector_migrate.sandbox.running import sandbox_folder
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings


@contextmanager
def own_or_running(
    settings: Settings, own: Path, *, say: Callable[[str], None], defects: tuple[str, ...] = ()
) -> Iterator[Sandbox]:
    """The sandbox that runs here, left as it was; else one in `own`, removed afterwards."""
    if settings.is_sandbox:
        with Sandbox(settings, sandbox_folder(settings), say=say) as sandbox:
            had = sandbox.settings.workers.defects
            if had != defects:
                sandbox.set_defects(defects)
            try:
                yield sandbox
            finally:
                if sandbox.settings.workers.defects != had:
                    sandbox.set_defects(had)
        return
    try:
        with Sandbox(settings, own, shadow=True, defects=defects, say=say) as sandbox:
            yield sandbox
    finally:
        shutil.rmtree(own, ignore_errors=True)

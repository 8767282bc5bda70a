"""Each worker host removes its own folders of runs that were erased from another host."""

from __future__ import annotations

import logging
import shutil
import threading

from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness

log = logging.getLogger(__name__)

EVERY_S = 300.0


def keep_removing(harness: Harness, stop: threading.Event) -> None:
    """Remove them now and every five minutes until `stop`, in a thread of its own."""

    def run() -> None:
        while not stop.is_set():
            try:
                remove_erased_folders(harness)
            except (MigrateError, OSError) as error:
                log.warning("folders of erased runs stay until the next look: %s", error)
            stop.wait(EVERY_S)

    threading.Thread(target=run, name="erased-folders", daemon=True).start()


def remove_erased_folders(harness: Harness) -> tuple[str, ...]:
    """Remove the folders in `candidate.data_dir` of erased runs; the runs' ids.

    A folder of a run that the store does not know is left alone. Raises OSError for a folder
    that cannot be removed, ServerUnreachableError when the store does not answer.
    """
    root = harness.settings.candidate.data_dir
    folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    removed = []
    for folder in folders:
        run = harness.runs.by_id(folder.name)
        if run is not None and run.erased_at is not None:
            shutil.rmtree(folder)
            log.info("run %s: erased, its folder on this host too", run.run_id)
            removed.append(run.run_id)
    return tuple(removed)

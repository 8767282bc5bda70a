"""Stop everything a sandbox folder has on record: workers first, so that they can drain."""

from __future__ import annotations

from pathlib import Path

from reflector_migrate.sandbox.process import kill_marked, stop, stop_strays
from reflector_migrate.sandbox.process_table import Records

WORKER_GRACE_S = 6.0
SERVER_GRACE_S = 2.0  # with the wait after SIGKILL, all is over within ten seconds


def stop_everything(folder: Path, mark: str | None = None) -> tuple[str, ...]:
    """End every recorded process and its children; the names of those that needed SIGKILL.

    With the sandbox's mark also those whose record is gone, as when the folder was removed.
    """
    records = Records.of(folder)
    stubborn = _stop_recorded(records) if records.path.exists() else ()
    if mark:
        kill_marked(mark)
    return stubborn


def _stop_recorded(records: Records) -> tuple[str, ...]:
    known = records.read()
    workers = [record for record in known if record.is_worker]
    servers = [record for record in known if not record.is_worker]
    stubborn = stop(workers, records, WORKER_GRACE_S)
    stubborn += stop(servers, records, SERVER_GRACE_S)
    stop_strays(records)
    return stubborn

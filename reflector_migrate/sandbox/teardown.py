"""Stop everything a sandbox folder has on record: workers first, so that they can drain."""

from __future__ import annotations

from pathlib import Path

from reflector_migrate.sandbox.process import stop, stop_strays
from reflector_migrate.sandbox.records import Records

WORKER_GRACE_S = 6.0
SERVER_GRACE_S = 2.0  # with the wait after SIGKILL, all is over within ten seconds


def stop_everything(folder: Path) -> tuple[str, ...]:
    """End every recorded process and its children; the names of those that needed SIGKILL."""
    records = Records.of(folder)
    if not records.path.exists():
        return ()
    known = records.read()
    workers = [record for record in known if record.is_worker]
    servers = [record for record in known if not record.is_worker]
    stubborn = stop(workers, records, WORKER_GRACE_S)
    stubborn += stop(servers, records, SERVER_GRACE_S)
    stop_strays(records)
    return stubborn
